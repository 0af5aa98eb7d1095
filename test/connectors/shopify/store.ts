import type { Destination, EntityMapping, MappedField, Patch } from '../../../connectors/destination.ts'
import { createShopify, type ShopifyOptions } from '../../../connectors/shopify/destination.ts'
import { SANDBOX_TOKEN } from '../../../connectors/shopify/sandbox.ts'
import { parseFieldType } from '../../../schemas/field-type.ts'

/** `to: type` of each field, mapped from a field of the same name. */
export function mappingOf(
  target: string,
  keyFields: readonly string[],
  fields: Readonly<Record<string, string>>,
  rest: Partial<EntityMapping> = {},
): EntityMapping {
  const mapped: MappedField[] = Object.entries(fields).map(([to, type]) => ({
    to,
    from: [to],
    type: parseFieldType(type),
    transform: null,
  }))
  return {
    entity: {
      name: `${target}s`,
      key: keyFields.map((_, at) => `k${at}`),
      fields: mapped.map(({ to, type }) => ({ name: to, type, personal: false })),
      class: 'standard',
      owner: 'tests',
      freshnessSeconds: 60,
    },
    target,
    fields: mapped,
    keyFields,
    updateOnly: false,
    lookups: {},
    onDelete: 'hard',
    ...rest,
  }
}

export function openStore(
  url: string,
  mappings: readonly EntityMapping[],
  rest: Partial<ShopifyOptions> = {},
): Destination {
  return createShopify({
    name: 'shop',
    url,
    accessToken: SANDBOX_TOKEN,
    apiVersion: '2026-07',
    mappings,
    allowAddresses: ['127.0.0.1'],
    connections: 8,
    timeoutMs: 30_000,
    ...rest,
  })
}

export async function applyOne(destination: Destination, mapping: EntityMapping, patch: Patch) {
  const [outcome] = await destination.apply(mapping, [patch], new AbortController().signal)
  return outcome!
}

/** The names of the mutations and queries that a sandbox was asked, in order. */
export function operations(requests: readonly { readonly body: string }[]): readonly string[] {
  return requests.map(({ body }) => /(?:query|mutation) (\w+)/.exec(body)?.[1] ?? '?')
}
