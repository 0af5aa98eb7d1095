import { describe, expect, it } from 'vitest'
import { createHttp } from '../../../connectors/http/destination.ts'
import { createFingerprinter } from '../../../consumers/fingerprint.ts'
import { packApplied, packVersion, parseAnswer } from '../../../consumers/ledger/entry.ts'
import type { StoredEntry } from '../../../consumers/ledger/stored-entry.ts'
import { planPatch } from '../../../consumers/patch.ts'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatPreview, previewJson, type ShownPreview } from '../../../ops/preview/format.ts'
import { type Preview, previewChange } from '../../../ops/preview/preview.ts'
import type { Change } from '../../../schemas/delta.ts'
import type { Version } from '../../../schemas/version.ts'
import { ENVIRONMENT } from '../declaration/pipelines.ts'
import { withSubscriber } from '../declaration/subscriber-cases.ts'

const { declaration } = checkDeclaration(
  withSubscriber(`  hook:
    type: http
    url: https://hook.example/v1
    headers: { authorization: Bearer s3cret }
    entities:
      customer:
        target: "/customers/{key}"
        fields:
          number: { format: "C-{id}" }
          fullName: name
          isActive: active
          extra: extra
`),
  'p.yaml',
  ENVIRONMENT,
)
const hook = declaration!.subscribers.get('hook')!
const mapping = hook.mappings[0]!
if (hook.type !== 'http') throw new Error('the hook is no http subscriber')
const destination = createHttp({ name: hook.name, mappings: hook.mappings, connections: 1, ...hook.connection })
const KEY = declaration!.ledger.fingerprintKey

const version = (position: bigint): Version => ({ epoch: 1n, position, ordinal: 0 })

function change(position: bigint, after: Record<string, string | bigint | boolean | null>): Change {
  const source = { system: 'postgres', instance: 'erp', object: 'customers', position: '0/0', transaction: null }
  return {
    entity: 'customer',
    key: '7',
    op: 'update',
    version: version(position),
    changed: null,
    after: { id: 7n, name: 'Ada Lovelace', active: true, extra: '{}', ...after },
    source: { ...source, committedAt: 0n, capturedAt: 0n },
    origin: null,
    claims: {},
  }
}

/** What the ledger has once a change was applied. */
function applied(to: Change): StoredEntry {
  const nothing = parseAnswer(`gnc${'0'.repeat(15)}`)
  const { fingerprints } = planPatch(mapping, createFingerprinter(KEY, mapping.fields), nothing, to, false)
  const entry = parseAnswer(`glc${'0'.repeat(15)}${packApplied(fingerprints, '"5"', { atMs: 0, fields: 1 })}`)
  return { version: packVersion(to.version), inFlight: false, lastPatch: null, entry }
}

const preview = (to: Change, stored: StoredEntry | null, options: { full?: boolean; showPersonal?: boolean } = {}) =>
  previewChange(mapping, to, stored, destination, { fingerprintKey: KEY, full: false, showPersonal: false, ...options })

function shown(preview: Preview): ShownPreview {
  const record = { topic: 'acme.customer', partition: 2, offset: 17n }
  const rest = { subscriber: 'hook', type: 'http', entity: 'customer', key: '7', record, op: 'update' }
  return {
    ...preview,
    ...rest,
    version: version(9n),
    ledger: { state: 'live', version: version(8n), uncertain: false },
  }
}

describe('a preview', () => {
  it('of what was never applied is the full request, without personal values and secrets', () => {
    const { patch, reason, request } = preview(change(9n, {}), null)
    expect(patch).toEqual({
      kind: 'upsert',
      full: true,
      fields: ['number', 'fullName', 'isActive', 'extra'],
      masked: ['fullName'],
      leftOut: [],
      fromBlobStore: [],
    })
    expect(reason).toBe('nothing was applied yet')
    expect(request!.request).toBe('PATCH https://hook.example/v1/customers/7')
    expect(JSON.parse(request!.body!)).toEqual({ number: 'C-7', fullName: '•••', isActive: true, extra: '{}' })
    expect(JSON.stringify(request)).not.toMatch(/Ada|s3cret/)
  })

  it('shows personal values when they are asked for', () => {
    expect(preview(change(9n, {}), null, { showPersonal: true }).request!.body).toContain('Ada Lovelace')
  })

  it('of a later version has what differs, on the condition that the ledger knows', () => {
    const { patch, request } = preview(change(9n, { active: false }), applied(change(8n, {})))
    expect(patch).toMatchObject({ full: false, fields: ['isActive'], masked: [] })
    expect(request!.headers).toMatchObject({ 'if-match': '"5"' })
    expect(JSON.parse(request!.body!)).toEqual({ isActive: false })
  })

  it('says why nothing would be sent', () => {
    const stored = applied(change(8n, {}))
    expect(preview(change(9n, {}), stored)).toMatchObject({
      patch: null,
      reason: expect.stringContaining('already is so'),
    })
    expect(preview(change(8n, {}), stored)).toMatchObject({
      patch: null,
      reason: expect.stringContaining('this version'),
    })
    expect(preview(change(8n, {}), stored, { full: true }).patch).toMatchObject({ full: true })
  })

  it('fits a terminal, and says what was masked and that nothing was sent', () => {
    const lines = formatPreview(shown(preview(change(9n, { active: false, name: 'Grace' }), applied(change(8n, {})))))
    expect(lines.slice(0, 5)).toEqual([
      'subscriber  hook (http)',
      'entity      customer, key 7',
      'record      update, version 1/9/0: acme.customer, partition 2, offset 17',
      'ledger      live, version 1/8/0',
      'patch       what differs: 2 fields (fullName, isActive)',
    ])
    expect(lines).toContain('PATCH https://hook.example/v1/customers/7')
    expect(lines.join('\n')).toContain('{\n  "fullName": "•••",\n  "isActive": false\n}')
    expect(lines.slice(-5)).toEqual([
      '',
      'Masked as personal: fullName.',
      '--show-personal shows them.',
      '',
      'Nothing was sent.',
    ])
  })

  it('has one JSON object', () => {
    const json = JSON.parse(JSON.stringify(previewJson(shown(preview(change(9n, {}), null)))))
    expect(json).toMatchObject({
      ok: true,
      subscriber: 'hook',
      record: { offset: '17', version: '1/9/0' },
      ledger: { version: '1/8/0' },
      patch: { full: true },
      request: { request: 'PATCH https://hook.example/v1/customers/7' },
    })
  })
})
