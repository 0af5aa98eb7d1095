import type { EntityMapping, Patch } from '../../../connectors/destination.ts'
import { startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { type ContractFactory, destinationContract } from '../../contract/destination-contract.ts'
import { mappingOf, openStore } from './store.ts'

const DEFINITIONS = Object.fromEntries(
  ['PRODUCT', 'CUSTOMER'].flatMap((owner) => [
    [`${owner} custom.visits`, 'number_integer'],
    [`${owner} custom.note`, 'single_line_text_field'],
  ]),
)

/** The contract's fields, where the store keeps them. */
function factory(target: 'product' | 'customer', nameField: string): ContractFactory {
  const names: Readonly<Record<string, string>> = {
    name: nameField,
    visits: 'metafields.custom.visits',
    note: 'metafields.custom.note',
  }
  return async ({ onDelete }) => {
    const sandbox = await startShopifySandbox({
      definitions: DEFINITIONS,
      maximumAvailable: 1_000_000,
      restoreRate: 1_000_000,
    })
    const types = { [nameField]: 'string', 'metafields.custom.visits': 'int64', 'metafields.custom.note': 'string' }
    const mapping: EntityMapping = mappingOf(target, ['metafields.custom.erp_id'], types, { onDelete })
    const destination = openStore(sandbox.url, [mapping])
    const renamed = (patch: Patch): Patch =>
      patch.kind === 'delete'
        ? patch
        : {
            ...patch,
            fields: Object.fromEntries(Object.entries(patch.fields).map(([name, value]) => [names[name]!, value])),
          }
    const read = async (key: string) => {
      const held = await destination.read!(mapping, key, new AbortController().signal)
      return held && Object.fromEntries(Object.entries(names).map(([name, field]) => [name, held[field] ?? null]))
    }
    return {
      destination: {
        ...destination,
        apply: (_, patches, signal) => destination.apply(mapping, patches.map(renamed), signal),
        preview: (_, patch) => destination.preview!(mapping, renamed(patch)),
        read: (_, key) => read(key),
      },
      read: async (key) => (await read(key)) ?? undefined,
      async close() {
        await destination.close()
        await sandbox.close()
      },
    }
  }
}

destinationContract(
  'a Shopify product',
  { policies: ['hard', 'soft', 'archive', 'ignore'], comparesVersions: false },
  factory('product', 'title'),
)
destinationContract(
  'a Shopify customer',
  { policies: ['hard', 'ignore'], comparesVersions: false },
  factory('customer', 'firstName'),
)
