import { sandboxTable } from '../../../connectors/dataverse/sandbox/tables.ts'
import { destinationContract } from '../../contract/destination-contract.ts'
import { startSubject } from './subject.ts'

const TABLE = sandboxTable({
  logicalName: 'customer',
  entitySet: 'customers',
  columns: {
    name: { type: 'String', maxLength: 160 },
    visits: { type: 'BigInt' },
    note: { type: 'Memo', maxLength: 2000 },
  },
})

destinationContract(
  'Dataverse',
  {
    policies: ['hard', 'soft', 'ignore'],
    comparesVersions: true,
    byTags: true,
    // Dataverse compares keys without case and without blanks at the end.
    refusesKey: (key) => key.trimEnd() !== key || key.startsWith('KEY'),
    names: { target: 'customers', keyFields: ['erp_id'] },
  },
  async (mapping) => {
    const { destination, close } = await startSubject([mapping], {}, { tables: [TABLE] })
    return {
      destination,
      read: async (key) => (await destination.read!(mapping, key, new AbortController().signal)) ?? undefined,
      close,
    }
  },
)
