import { createDataverse, type DataverseOptions } from '../../../connectors/dataverse/destination.ts'
import { type DataverseSandboxOptions, startDataverseSandbox } from '../../../connectors/dataverse/sandbox.ts'
import type { Destination, EntityMapping, Outcome, Patch } from '../../../connectors/destination.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { mappingOf } from '../odata/mappings.ts'

export const CONTOSO = 'contoso.onmicrosoft.com/oauth2/v2.0/token'

export const ACCOUNTS = mappingOf('accounts', ['erp_id'], {
  name: 'string',
  accountnumber: 'string',
  description: 'string',
  creditlimit: 'decimal(12,2)',
  creditonhold: 'boolean',
  numberofemployees: 'int32',
  industrycode: 'int32',
  erp_visits: 'int64',
  erp_rate: 'decimal(38,10)',
  erp_since: 'timestamptz',
})

export const CONTACTS = mappingOf(
  'contacts',
  ['erp_id'],
  { lastname: 'string', parentcustomerid_account: 'string' },
  { lookups: { parentcustomerid_account: { target: 'accounts', keyField: 'erp_id' } } },
)

export interface Subject {
  readonly sandbox: Sandbox
  readonly destination: Destination
  apply(mapping: EntityMapping, patch: Patch): Promise<Outcome>
  close(): Promise<void>
}

/** A sandbox of Dataverse and a destination that talks to it. */
export async function startSubject(
  mappings: readonly EntityMapping[] = [ACCOUNTS, CONTACTS],
  options: Partial<DataverseOptions> = {},
  sandboxOptions: DataverseSandboxOptions = {},
): Promise<Subject> {
  const sandbox = await startDataverseSandbox(sandboxOptions)
  const destination = createDataverse({ ...optionsFor(sandbox), mappings, ...options })
  return {
    sandbox,
    destination,
    apply: async (mapping, patch) => (await destination.apply(mapping, [patch], new AbortController().signal))[0]!,
    async close() {
      await destination.close()
      await sandbox.close()
    },
  }
}

export function optionsFor({ url }: Pick<Sandbox, 'url'>) {
  return {
    name: 'crm',
    url,
    tokenUrl: `${url}/${CONTOSO}`,
    ...SANDBOX_CLIENT,
    allowAddresses: ['127.0.0.1'],
    connections: 8,
    timeoutMs: 30_000,
  }
}
