/** A field of an object, as an administrator would set it up. */
export interface SandboxField {
  readonly name: string
  readonly type:
    | 'id'
    | 'string'
    | 'textarea'
    | 'email'
    | 'phone'
    | 'url'
    | 'picklist'
    | 'multipicklist'
    | 'boolean'
    | 'int'
    | 'double'
    | 'currency'
    | 'date'
    | 'datetime'
    | 'time'
    | 'reference'
  readonly required?: boolean
  /** Neither by creating nor by changing. */
  readonly readOnly?: boolean
  readonly externalId?: boolean
  readonly unique?: boolean
  /** Of a unique text: whether `a` and `A` are two values. */
  readonly caseSensitive?: boolean
  /** Of texts; default 255. */
  readonly length?: number
  /** Of numbers: digits in all and after the point; default 18 and 2. */
  readonly precision?: number
  readonly scale?: number
  /** Of picklists; they are restricted to these. */
  readonly values?: readonly string[]
  readonly referenceTo?: readonly string[]
  /** Under which the referred object is written; default: `__c` → `__r`, without `Id`. */
  readonly relationshipName?: string
}

export interface SandboxObject {
  readonly name: string
  /** Three characters that its ids begin with. */
  readonly prefix: string
  readonly fields: readonly SandboxField[]
  readonly createable?: boolean
  readonly updateable?: boolean
  readonly deletable?: boolean
}

export const EXTERNAL_ID: SandboxField = {
  name: 'Ext_Id__c',
  type: 'string',
  externalId: true,
  unique: true,
  caseSensitive: true,
}

/** What an organisation has that nobody told otherwise. */
export const DEFAULT_OBJECTS: readonly SandboxObject[] = [
  {
    name: 'Account',
    prefix: '001',
    fields: [
      EXTERNAL_ID,
      { name: 'Name', type: 'string', required: true },
      { name: 'Phone', type: 'phone', length: 40 },
      { name: 'Website', type: 'url' },
      { name: 'Description', type: 'textarea', length: 32_000 },
      { name: 'NumberOfEmployees', type: 'int', precision: 8, scale: 0 },
      { name: 'AnnualRevenue', type: 'currency', precision: 18, scale: 2 },
      { name: 'BillingStreet', type: 'textarea' },
      { name: 'BillingCity', type: 'string', length: 40 },
      { name: 'BillingPostalCode', type: 'string', length: 20 },
      { name: 'BillingCountry', type: 'string', length: 80 },
      { name: 'ParentId', type: 'reference', referenceTo: ['Account'] },
      { name: 'Email__c', type: 'email', length: 80 },
      { name: 'Tax_Id__c', type: 'string', length: 30, unique: true, caseSensitive: true },
      { name: 'Status__c', type: 'picklist', values: ['open', 'closed'] },
      { name: 'Tags__c', type: 'multipicklist', values: ['red', 'green', 'blue'] },
      { name: 'Active__c', type: 'boolean' },
      { name: 'Balance__c', type: 'double', precision: 18, scale: 4 },
      { name: 'Points__c', type: 'double', precision: 18, scale: 0 },
      { name: 'Since__c', type: 'date' },
      { name: 'Seen__c', type: 'datetime' },
      { name: 'Opens__c', type: 'time' },
      { name: 'Score__c', type: 'double', readOnly: true },
    ],
  },
  {
    name: 'Contact',
    prefix: '003',
    fields: [
      EXTERNAL_ID,
      { name: 'LastName', type: 'string', length: 80, required: true },
      { name: 'FirstName', type: 'string', length: 40 },
      { name: 'Email', type: 'email', length: 80 },
      { name: 'Phone', type: 'phone', length: 40 },
      { name: 'AccountId', type: 'reference', referenceTo: ['Account'] },
    ],
  },
  {
    name: 'Order__c',
    prefix: 'a00',
    fields: [
      EXTERNAL_ID,
      { name: 'Name', type: 'string', length: 80 },
      { name: 'Account__c', type: 'reference', referenceTo: ['Account'] },
      { name: 'Contact__c', type: 'reference', referenceTo: ['Contact'] },
      { name: 'Amount__c', type: 'currency', precision: 18, scale: 2 },
      { name: 'Placed__c', type: 'datetime' },
      { name: 'Status__c', type: 'picklist', values: ['new', 'paid', 'shipped'] },
    ],
  },
]

export function relationshipNameOf(field: SandboxField): string | null {
  if (field.type !== 'reference') return null
  return field.relationshipName ?? field.name.replace(/__c$/, '__r').replace(/Id$/, '')
}

/** The answer of "sObject Describe", as far as it is asked for. */
export function describeObject(object: SandboxObject): Readonly<Record<string, unknown>> {
  const { name, prefix, createable = true, updateable = true, deletable = true } = object
  const id: SandboxField = { name: 'Id', type: 'id', length: 18, readOnly: true, required: true }
  return {
    name,
    label: name,
    keyPrefix: prefix,
    custom: name.endsWith('__c'),
    createable,
    updateable,
    deletable,
    queryable: true,
    fields: [id, ...object.fields].map((field) => describeField(field)),
  }
}

const NUMBERS = new Set(['int', 'double', 'currency'])

function describeField(field: SandboxField): Readonly<Record<string, unknown>> {
  const isNumber = NUMBERS.has(field.type)
  return {
    name: field.name,
    label: field.name,
    type: field.type,
    custom: field.name.endsWith('__c'),
    createable: !field.readOnly,
    updateable: !field.readOnly,
    nillable: !field.required && field.type !== 'boolean',
    defaultedOnCreate: field.type === 'boolean' || field.name === 'Id',
    externalId: field.externalId ?? false,
    idLookup: field.externalId ?? field.name === 'Id',
    unique: field.unique ?? false,
    caseSensitive: field.caseSensitive ?? false,
    length: isNumber ? 0 : (field.length ?? 255),
    precision: isNumber ? (field.precision ?? 18) : 0,
    scale: isNumber ? (field.scale ?? 2) : 0,
    restrictedPicklist: field.values !== undefined,
    picklistValues: (field.values ?? []).map((value) => ({ value, label: value, active: true, defaultValue: false })),
    relationshipName: relationshipNameOf(field),
    referenceTo: field.referenceTo ?? [],
  }
}
