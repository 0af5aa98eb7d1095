import type { EdmType } from '../../odata/sandbox-rules.ts'

/** One table of the sandbox, in the words of Dataverse's metadata. */
export interface SandboxTable {
  readonly logicalName: string
  readonly entitySet: string
  readonly primaryId: string
  readonly optimisticConcurrency: boolean
  readonly columns: Readonly<Record<string, SandboxColumn>>
  /** Alternate keys: lists of columns, and whether the index is built. */
  readonly keys: readonly { readonly columns: readonly string[]; readonly state: 'Active' | 'Pending' }[]
  /** Navigation property → the column behind it and the entity set that it leads to. */
  readonly lookups: Readonly<Record<string, { readonly column: string; readonly entitySet: string }>>
}

export interface SandboxColumn {
  readonly type: keyof typeof EDM_OF
  readonly maxLength?: number
  /** `RequiredLevel` SystemRequired: never null. */
  readonly required?: boolean
  readonly readOnly?: boolean
  /** The values of a choice. */
  readonly options?: readonly number[]
}

export const EDM_OF = {
  String: 'Edm.String',
  Memo: 'Edm.String',
  Integer: 'Edm.Int32',
  BigInt: 'Edm.Int64',
  Decimal: 'Edm.Decimal',
  Money: 'Edm.Decimal',
  Double: 'Edm.Double',
  Boolean: 'Edm.Boolean',
  DateTime: 'Edm.DateTimeOffset',
  Picklist: 'Edm.Int32',
  State: 'Edm.Int32',
  Status: 'Edm.Int32',
  Uniqueidentifier: 'Edm.Guid',
  Lookup: 'Edm.Guid',
} as const satisfies Record<string, EdmType>

/** A table with what every table has without anybody asking, and an `erp_id`. */
export function sandboxTable(
  given: Pick<SandboxTable, 'logicalName' | 'entitySet' | 'columns'> & Partial<SandboxTable>,
): SandboxTable {
  const primaryId = `${given.logicalName}id`
  const lookups = given.lookups ?? {}
  return {
    optimisticConcurrency: true,
    keys: [{ columns: ['erp_id'], state: 'Active' }],
    ...given,
    lookups,
    primaryId,
    columns: {
      [primaryId]: { type: 'Uniqueidentifier', readOnly: true },
      erp_id: { type: 'String', maxLength: 100 },
      ...Object.fromEntries(Object.values(lookups).map(({ column }) => [column, { type: 'Lookup' as const }])),
      statecode: { type: 'State', options: [0, 1] },
      statuscode: { type: 'Status', options: [1, 2] },
      createdon: { type: 'DateTime', readOnly: true },
      ...given.columns,
    },
  }
}

/** A CRM with customers, their contacts, and orders. `erp_id` is the alternate key that an integration would add. */
export const DEFAULT_TABLES: readonly SandboxTable[] = [
  sandboxTable({
    logicalName: 'account',
    entitySet: 'accounts',
    columns: {
      name: { type: 'String', maxLength: 160 },
      accountnumber: { type: 'String', maxLength: 20 },
      emailaddress1: { type: 'String', maxLength: 100 },
      telephone1: { type: 'String', maxLength: 50 },
      address1_line1: { type: 'String', maxLength: 250 },
      address1_city: { type: 'String', maxLength: 80 },
      address1_postalcode: { type: 'String', maxLength: 20 },
      address1_country: { type: 'String', maxLength: 80 },
      description: { type: 'Memo', maxLength: 2000 },
      creditlimit: { type: 'Money' },
      creditonhold: { type: 'Boolean', required: true },
      numberofemployees: { type: 'Integer' },
      industrycode: { type: 'Picklist', options: [1, 2, 3, 4, 5] },
      erp_visits: { type: 'BigInt' },
      erp_score: { type: 'Double' },
      erp_rate: { type: 'Decimal' },
      erp_since: { type: 'DateTime' },
    },
    keys: [
      { columns: ['erp_id'], state: 'Active' },
      { columns: ['accountnumber'], state: 'Active' },
    ],
  }),
  sandboxTable({
    logicalName: 'contact',
    entitySet: 'contacts',
    columns: {
      firstname: { type: 'String', maxLength: 50 },
      lastname: { type: 'String', maxLength: 50 },
      emailaddress1: { type: 'String', maxLength: 100 },
    },
    lookups: { parentcustomerid_account: { column: 'parentcustomerid', entitySet: 'accounts' } },
  }),
  sandboxTable({
    logicalName: 'salesorder',
    entitySet: 'salesorders',
    columns: {
      name: { type: 'String', maxLength: 300 },
      ordernumber: { type: 'String', maxLength: 100 },
      totalamount: { type: 'Money' },
    },
    lookups: {
      customerid_account: { column: 'customerid', entitySet: 'accounts' },
      billingcontact_contact: { column: 'billingcontact', entitySet: 'contacts' },
    },
  }),
  sandboxTable({
    logicalName: 'erp_note',
    entitySet: 'erp_notes',
    optimisticConcurrency: false,
    columns: { erp_text: { type: 'Memo', maxLength: 4000 } },
    keys: [
      { columns: ['erp_id'], state: 'Active' },
      { columns: ['erp_text'], state: 'Pending' },
    ],
  }),
]
