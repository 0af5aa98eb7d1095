import type { Destination, EntityMapping, Outcome, Patch } from '../../../connectors/destination.ts'
import { createHttp, type HttpDestinationOptions } from '../../../connectors/http/destination.ts'
import { type HttpSandboxOptions, startHttpSandbox } from '../../../connectors/http/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import type { Value } from '../../../schemas/field-type.ts'

const FIELDS = [
  { name: 'id', type: { kind: 'string' }, personal: false },
  { name: 'name', type: { kind: 'string' }, personal: true },
  { name: 'email', type: { kind: 'string' }, personal: true },
  { name: 'credit', type: { kind: 'decimal', precision: 30, scale: 2 }, personal: false },
] as const

export function customers(more: Partial<EntityMapping> = {}): EntityMapping {
  return {
    entity: { name: 'customer', key: ['id'], fields: FIELDS, class: 'standard', owner: 'tests', freshnessSeconds: 60 },
    target: '/v1/customers/{key}',
    fields: FIELDS.map(({ name, type }) => ({ to: name, from: [name], type, transform: null })),
    keyFields: [],
    updateOnly: false,
    lookups: {},
    onDelete: 'hard',
    ...more,
  }
}

export interface HttpSubject {
  readonly sandbox: Sandbox
  readonly destination: Destination
  readonly mapping: EntityMapping
  apply(patch: Patch): Promise<Outcome>
  /** What the sandbox holds of a customer; undefined for none. */
  held(key: string): unknown
  read(key: string): Promise<Readonly<Record<string, Value>> | null>
  close(): Promise<void>
}

/** The destination before its sandbox. */
export async function httpSubject(
  api: HttpSandboxOptions = {},
  options: Partial<HttpDestinationOptions> = {},
  mapping: EntityMapping = customers(),
): Promise<HttpSubject> {
  const sandbox = await startHttpSandbox(api)
  const destination = createHttp({
    name: 'shop',
    url: sandbox.url,
    secrets: [],
    headers: {},
    allowAddresses: ['127.0.0.1'],
    connections: 4,
    timeoutMs: 60_000,
    mappings: [mapping],
    ...options,
  })
  const signal = new AbortController().signal
  return {
    sandbox,
    destination,
    mapping,
    apply: async (patch) => (await destination.apply(mapping, [patch], signal))[0]!,
    held: (key) =>
      (sandbox.objects('v1/customers') as { key: string; value: unknown }[]).find((one) => one.key === key)?.value,
    read: (key) => destination.read!(mapping, key, signal),
    async close() {
      await destination.close()
      await sandbox.close()
    },
  }
}
