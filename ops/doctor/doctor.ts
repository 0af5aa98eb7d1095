import type { ClockReading } from '../../connectors/postgres/checkup/checkup.ts'
import type { Environment } from '../process/environment.ts'
import { lookAtBlobs } from './blobs.ts'
import { type Area, areaOf, CHECK_NAMES, type CheckName } from './checks.ts'
import { decideClocks } from './clocks.ts'
import { type Finding, RESULTS } from './finding.ts'
import { lookAtKafka } from './kafka/ask.ts'
import { lookAtLedger } from './ledger/ask.ts'
import { lookAtRegistry } from './registry/ask.ts'
import { lookAtSource } from './source/ask.ts'
import { lookAtSubscribers } from './subscribers/ask.ts'

/**
 * Asks everything that a pipeline needs, side by side, and changes nothing. What does not answer is a finding, never thrown.
 * @param wanted only these checks; servers that they do not need are not asked
 * @returns the worst first, then in the order of {@link CHECK_NAMES}
 * @throws what is a defect
 */
export async function examinePipeline(
  environment: Environment,
  wanted: readonly CheckName[] = CHECK_NAMES,
): Promise<readonly Finding[]> {
  const areas = new Set<Area>(wanted.map(areaOf))
  const needs = (...any: readonly Area[]) => any.some((area) => areas.has(area))
  const declared = needs('source', 'clocks') ? [...environment.declaration.sources.values()] : []
  const [sources, ledger, ...others] = await Promise.all([
    Promise.all(declared.map((source) => lookAtSource(environment, source, wanted.includes('source-letters')))),
    needs('ledger', 'clocks') ? lookAtLedger(environment) : null,
    needs('kafka') ? lookAtKafka(environment) : [],
    needs('registry') ? lookAtRegistry(environment) : [],
    needs('blobs') ? lookAtBlobs(environment) : [],
    needs('subscriber') ? lookAtSubscribers(environment) : [],
  ])
  const clocks = new Map<string, ClockReading>()
  declared.forEach(({ name }, index) => {
    const clock = sources[index]?.clock ?? null
    if (clock !== null) clocks.set(name, clock)
  })
  if (ledger?.clock) clocks.set('redis', ledger.clock)
  const findings = [
    ...sources.flatMap((look) => look.findings),
    ...(ledger?.findings ?? []),
    ...others.flat(),
    ...decideClocks(clocks),
  ]
  return findings
    .filter(({ name }) => wanted.includes(name))
    .toSorted(
      (a, b) =>
        RESULTS.indexOf(a.result) - RESULTS.indexOf(b.result) ||
        CHECK_NAMES.indexOf(a.name) - CHECK_NAMES.indexOf(b.name),
    )
}

/** Nothing fails, and everything could be asked; what is worth a warning may be there. */
export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ result }) => result === 'ok' || result === 'warn')
}
