import type { EntityMapping } from '../../../connectors/destination.ts'
import { createSalesforce } from '../../../connectors/salesforce/destination.ts'
import { SANDBOX_CLIENT, startSalesforceSandbox } from '../../../connectors/salesforce/sandbox.ts'
import { type ContractFactory, destinationContract } from '../../contract/destination-contract.ts'

const factory: ContractFactory = async (mapping) => {
  const adapted = (given: EntityMapping): EntityMapping => ({ ...given, keyFields: ['Ext_Id__c'] })
  const sandbox = await startSalesforceSandbox({
    objects: [
      {
        name: mapping.target,
        prefix: 'a01',
        fields: [
          { name: 'Ext_Id__c', type: 'string', externalId: true, unique: true, caseSensitive: true },
          { name: 'name', type: 'string' },
          { name: 'visits', type: 'double', precision: 18, scale: 0 },
          { name: 'note', type: 'textarea', length: 1000 },
        ],
      },
    ],
  })
  const destination = createSalesforce({
    ...SANDBOX_CLIENT,
    name: 'contract',
    url: sandbox.url,
    apiVersion: 'v66.0',
    allowAddresses: ['127.0.0.1'],
    connections: 4,
    timeoutMs: 30_000,
    mappings: [adapted(mapping)],
  })
  return {
    destination,
    mapping: adapted(mapping),
    read: async (key) => {
      const values = await destination.read!(adapted(mapping), key, new AbortController().signal)
      return values ?? undefined
    },
    close: async () => {
      await destination.close()
      await sandbox.close()
    },
  }
}

destinationContract(
  'salesforce',
  { policies: ['hard', 'ignore'], comparesVersions: false, refusesKey: (key) => key.trim() !== key },
  factory,
)
