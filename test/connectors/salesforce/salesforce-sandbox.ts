import { onTestFinished } from 'vitest'
import type {
  Destination,
  EntityMapping,
  Lookup,
  MappedField,
  Outcome,
  Patch,
} from '../../../connectors/destination.ts'
import { createSalesforce, type SalesforceOptions } from '../../../connectors/salesforce/destination.ts'
import {
  SANDBOX_CLIENT,
  type SalesforceSandbox,
  type SalesforceSandboxOptions,
  startSalesforceSandbox,
} from '../../../connectors/salesforce/sandbox.ts'
import { parseFieldType } from '../../../schemas/field-type.ts'

export function mappingOf(
  target: string,
  fields: Readonly<Record<string, string>>,
  rest: Partial<EntityMapping> & { readonly lookups?: Readonly<Record<string, Lookup>> } = {},
): EntityMapping {
  const mapped: MappedField[] = Object.entries(fields).map(([to, type]) => ({
    to,
    from: [to],
    type: parseFieldType(type),
    transform: null,
  }))
  return {
    entity: {
      name: 'customer',
      key: ['id'],
      fields: mapped.map(({ to, type }) => ({ name: to, type, personal: true })),
      class: 'standard',
      owner: 'tests',
      freshnessSeconds: 60,
    },
    target,
    fields: mapped,
    keyFields: ['Ext_Id__c'],
    updateOnly: false,
    lookups: {},
    onDelete: 'hard',
    ...rest,
  }
}

export const ACCOUNTS = mappingOf('Account', {
  Name: 'string',
  Phone: 'string',
  Email__c: 'string',
  Tax_Id__c: 'string',
  Balance__c: 'decimal(18,4)',
})

export const ORDERS = mappingOf(
  'Order__c',
  { Name: 'string', Account__c: 'string', Contact__c: 'string', Amount__c: 'decimal(18,2)' },
  {
    lookups: {
      Account__c: { target: 'Account', keyField: 'Ext_Id__c' },
      Contact__c: { target: 'Contact', keyField: 'Ext_Id__c' },
    },
  },
)

export interface Subject {
  readonly sandbox: SalesforceSandbox
  readonly destination: Destination
  apply(mapping: EntityMapping, ...patches: readonly Patch[]): Promise<readonly Outcome[]>
  /** The object with this external id, as the sandbox holds it. */
  held(target: string, key: string): Readonly<Record<string, unknown>> | undefined
  /** `METHOD path` of each request but for tokens, without what follows `?`. */
  sent(): readonly string[]
}

export async function startSubject(
  options: Partial<SalesforceOptions> = {},
  sandboxOptions: SalesforceSandboxOptions = {},
): Promise<Subject> {
  const sandbox = await startSalesforceSandbox(sandboxOptions)
  const destination = createSalesforce({
    ...SANDBOX_CLIENT,
    name: 'crm',
    url: sandbox.url,
    apiVersion: 'v66.0',
    allowAddresses: ['127.0.0.1'],
    connections: 4,
    timeoutMs: 30_000,
    mappings: [ACCOUNTS],
    ...options,
  })
  onTestFinished(async () => {
    await destination.close()
    await sandbox.close()
  })
  return {
    sandbox,
    destination,
    apply: (mapping, ...patches) => destination.apply(mapping, patches, new AbortController().signal),
    held: (target, key) =>
      (JSON.parse(JSON.stringify(sandbox.objects(target))) as Record<string, unknown>[]).find(
        ({ Ext_Id__c }) => Ext_Id__c === key,
      ),
    sent: () =>
      sandbox.requests
        .filter(({ path }) => !path.startsWith('/services/oauth2'))
        .map(({ method, path }) => `${method} ${path.split('?')[0]!.replace('/services/data/v66.0', '')}`),
  }
}
