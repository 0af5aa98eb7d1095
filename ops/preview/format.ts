import { formatVersion, type Version } from '../../schemas/version.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { safeText } from '../demo/view/width.ts'
import type { Preview } from './preview.ts'

/** A preview with what it is of. */
export interface ShownPreview extends Preview {
  readonly subscriber: string
  readonly type: string
  readonly entity: string
  readonly key: string
  readonly record: { readonly topic: string; readonly partition: number; readonly offset: bigint }
  readonly op: string
  readonly version: Version
  readonly ledger: { readonly state: string; readonly version: Version | null; readonly uncertain: boolean } | null
}

/** The `--json` form. */
export function previewJson(shown: ShownPreview): object {
  const { subscriber, entity, key, record, op, version, ledger, patch, reason, request } = shown
  return {
    ok: true,
    subscriber,
    entity,
    key,
    record: { ...record, offset: String(record.offset), op, version: formatVersion(version) },
    ledger: ledger && { ...ledger, version: ledger.version && formatVersion(ledger.version) },
    patch,
    reason,
    request,
  }
}

/** For a person. Lines of a body may be longer than a terminal is wide: they are to be copied. */
export function formatPreview(shown: ShownPreview): string[] {
  const { subscriber, type, entity, key, record, op, version, ledger, patch, reason, request } = shown
  const facts: readonly (readonly [string, string])[] = [
    ['subscriber', `${subscriber} (${type})`],
    ['entity', `${entity}, key ${safeText(key)}`],
    [
      'record',
      `${op}, version ${formatVersion(version)}: ${record.topic}, partition ${record.partition}, offset ${record.offset}`,
    ],
    ['ledger', ledgerText(ledger)],
    ['patch', patchText(patch, reason)],
  ]
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  const head = facts.flatMap(([name, text]) =>
    wrap(text, WIDTH_MAX - width).map((part, at) => (at === 0 ? name : '').padEnd(width) + part),
  )
  return [...head, ...requestLines(request), ...notes(shown), '', 'Nothing was sent.']
}

function ledgerText(ledger: ShownPreview['ledger']): string {
  if (ledger === null) return 'nothing was applied yet'
  const version = ledger.version === null ? '' : `, version ${formatVersion(ledger.version)}`
  return `${ledger.state === 'none' ? 'nothing was applied yet' : ledger.state}${version}${ledger.uncertain ? ', not certain' : ''}`
}

function patchText(patch: Preview['patch'], reason: string | null): string {
  if (patch === null) return `none: ${reason}`
  if (patch.kind === 'delete') return 'a delete'
  const count = patch.fields.length === 1 ? '1 field' : `${patch.fields.length} fields`
  const named = patch.fields.length === 0 ? '' : ` (${patch.fields.join(', ')})`
  return patch.full ? `full, as ${reason}: ${count}${named}` : `what differs: ${count}${named}`
}

function requestLines(request: Preview['request']): string[] {
  if (request === null) return []
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`)
  const body = request.body === null ? [] : ['', ...pretty(request.body).split('\n')]
  return ['', request.request, ...headers, ...body].map(safeText)
}

/** JSON over several lines, where that loses no digit of a number. */
function pretty(body: string): string {
  try {
    const value: unknown = JSON.parse(body)
    return JSON.stringify(value) === body.replace(/\s*\n\s*/g, '') ? JSON.stringify(value, null, 2) : body
  } catch {
    // It is no JSON: shown as it is.
    return body
  }
}

function notes({ patch, request, type }: ShownPreview): string[] {
  if (patch === null) return []
  const lines = [
    ...(request === null ? [`A subscriber of type ${type} has no single request to show.`] : []),
    ...(patch.fromBlobStore.length > 0
      ? [`Fetched from the blob store when it is sent: ${patch.fromBlobStore.join(', ')}.`]
      : []),
    ...(patch.masked.length > 0 ? [`Masked as personal: ${patch.masked.join(', ')}.`] : []),
    ...(patch.leftOut.length > 0 ? [`Left out as personal: ${patch.leftOut.join(', ')}.`] : []),
    ...(patch.masked.length + patch.leftOut.length > 0 ? ['--show-personal shows them.'] : []),
  ]
  return lines.length === 0 ? [] : ['', ...lines.flatMap((line) => wrap(line, WIDTH_MAX))]
}
