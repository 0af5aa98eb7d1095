import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { findOnPath } from '../../../../ops/stack/programs.ts'

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
export const CHART = `${ROOT}ops/kubernetes/tributary`
export const HELM = findOnPath('helm', process.env)

export type Labels = Readonly<Record<string, string>>

/** An object of Kubernetes. What is in `spec` and `data` is for each test to know. */
export interface Rendered {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Labels; readonly annotations?: Labels }
  // biome-ignore lint/suspicious/noExplicitAny: as many forms as there are kinds
  readonly spec?: any
  readonly data?: Readonly<Record<string, string>>
}

/** The oldest release that the chart is for. A Helm that was built with `go install` would take an older one for the cluster's. */
const KUBERNETES = ['--kube-version', '1.27.0']

/** Runs Helm on the chart. @throws Error with what Helm says */
export function helm(command: readonly string[], values: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-chart-'))
  try {
    const file = join(folder, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    const env = { ...process.env, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder }
    return execFileSync(HELM!, [...command, ...KUBERNETES, '--values', file], { encoding: 'utf8', stdio: 'pipe', env })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The objects that `helm template` makes of these values for the release `shop`. */
export function render(values: object): readonly Rendered[] {
  const documents = parseAllDocuments(helm(['template', 'shop', CHART], values))
  for (const { errors } of documents) if (errors[0] !== undefined) throw errors[0]
  return documents.map((document) => document.toJS() as Rendered | null).filter((one) => one !== null)
}

/** The pods that objects make, each with what makes it. */
export function podsOf(objects: readonly Rendered[]) {
  return objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .map((owner) => ({ owner, labels: owner.spec.template.metadata.labels as Labels, spec: owner.spec.template.spec }))
}

export function selects(selector: { readonly matchLabels: Labels }, labels: Labels): boolean {
  return Object.entries(selector.matchLabels).every(([name, value]) => labels[name] === value)
}

export function isHook({ metadata }: Rendered): boolean {
  return metadata.annotations?.['helm.sh/hook'] !== undefined
}
