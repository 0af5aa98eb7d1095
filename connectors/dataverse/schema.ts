import { type FieldType, formatFieldType } from '../../schemas/field-type.ts'
import type { EntityMapping } from '../destination.ts'
import { isObject, type JsonObject } from '../exact-json.ts'
import { isKeyType, keyType } from '../odata/key.ts'

/** What the metadata says of a table ("Query table definitions using the Web API"). */
export interface Table {
  readonly logicalName: string
  readonly primaryId: string
  readonly comparesTags: boolean
  /** Column → its `AttributeType`, and whether it may be written. */
  readonly columns: ReadonlyMap<string, { readonly type: string; readonly create: boolean; readonly update: boolean }>
  /** Alternate keys: the columns, and the state of the index that enforces them. */
  readonly keys: readonly { readonly columns: readonly string[]; readonly state: string }[]
  /** Single-valued navigation property → the logical name of the table that it leads to. */
  readonly navigation: ReadonlyMap<string, string>
}

/** Asks for the definition of the table of an entity set. */
export function tablePath(entitySet: string): string {
  const filter = encodeURIComponent(`EntitySetName eq '${entitySet.replaceAll("'", "''")}'`)
  return (
    'EntityDefinitions?$select=LogicalName,EntitySetName,PrimaryIdAttribute,IsOptimisticConcurrencyEnabled' +
    `&$filter=${filter}` +
    '&$expand=Attributes($select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate)' +
    ',Keys($select=KeyAttributes,EntityKeyIndexStatus)' +
    ',ManyToOneRelationships($select=ReferencingEntityNavigationPropertyName,ReferencedEntity)'
  )
}

/** Reads what {@link tablePath} answers; null where there is no such entity set. */
export function tableOf(answer: JsonObject | null): Table | null {
  const definition = list(answer?.value)[0]
  if (definition === undefined) return null
  const text = (object: JsonObject, name: string) => (typeof object[name] === 'string' ? object[name] : '')
  return {
    logicalName: text(definition, 'LogicalName'),
    primaryId: text(definition, 'PrimaryIdAttribute'),
    comparesTags: definition.IsOptimisticConcurrencyEnabled !== false,
    columns: new Map(
      list(definition.Attributes).map((column) => [
        text(column, 'LogicalName'),
        {
          type: text(column, 'AttributeType'),
          create: column.IsValidForCreate !== false,
          update: column.IsValidForUpdate !== false,
        },
      ]),
    ),
    keys: list(definition.Keys).map((key) => ({
      columns: Array.isArray(key.KeyAttributes) ? key.KeyAttributes.map(String) : [],
      state: text(key, 'EntityKeyIndexStatus'),
    })),
    navigation: new Map(
      list(definition.ManyToOneRelationships).map((relation) => [
        text(relation, 'ReferencingEntityNavigationPropertyName'),
        text(relation, 'ReferencedEntity'),
      ]),
    ),
  }
}

function list(json: JsonObject[string] | undefined): readonly JsonObject[] {
  return Array.isArray(json) ? json.filter(isObject) : []
}

/** The declared types that a column's type takes. What is not listed cannot be written by a patch. */
const TAKES: Readonly<Record<string, readonly FieldType['kind'][]>> = {
  String: ['string', 'enum', 'json', 'uuid', 'time'],
  Memo: ['string', 'enum', 'json', 'uuid', 'time'],
  Uniqueidentifier: ['uuid'],
  Integer: ['int32', 'int64'],
  BigInt: ['int32', 'int64'],
  Decimal: ['decimal', 'numeric', 'int32', 'int64', 'double'],
  Money: ['decimal', 'numeric', 'int32', 'int64', 'double'],
  Double: ['double', 'decimal', 'numeric', 'int32', 'int64'],
  Boolean: ['boolean'],
  DateTime: ['timestamptz', 'timestamp', 'date'],
  Picklist: ['int32', 'int64'],
  State: ['int32', 'int64'],
  Status: ['int32', 'int64'],
  // Choices of several are a text such as `1,2`; an image is bytes.
  Virtual: ['string', 'bytes'],
}

/**
 * What keeps a mapping from working, in words.
 * @param tableOfSet the tables of the mapping's target and of its lookups' targets; null for one that is not there
 * @param comparesTags whether writes are to be conditional on ETags
 */
export function problemsOf(
  mapping: EntityMapping,
  tableOfSet: (entitySet: string) => Table | null,
  comparesTags: boolean,
): readonly string[] {
  const { target } = mapping
  const table = tableOfSet(target)
  if (table === null)
    return [`Dataverse has no entity set ${target}: a mapping names the set (\`accounts\`), not the table`]
  return [
    ...policyProblems(mapping, table),
    ...keyProblems(mapping, table),
    ...(comparesTags && !table.comparesTags
      ? [
          `table ${table.logicalName} has no optimistic concurrency, so that nothing can be compared: declare \`compare: false\``,
        ]
      : []),
    ...mapping.fields
      .filter(({ to }) => !mapping.keyFields.includes(to))
      .flatMap(({ to, type }) =>
        mapping.lookups[to] === undefined
          ? columnProblems(table, to, type)
          : lookupProblems(mapping, table, to, tableOfSet),
      ),
  ]
}

function policyProblems({ onDelete, target, fields }: EntityMapping, table: Table): readonly string[] {
  if (typeof onDelete === 'object')
    return [`${target}: a delete that depends on a condition cannot be carried out in Dataverse; declare one policy`]
  if (onDelete === 'archive')
    return [`${target}: Dataverse has no archive to move a row to; it has hard, soft and ignore`]
  if (onDelete !== 'soft') return []
  if (!table.columns.has('statecode'))
    return [`${target}: table ${table.logicalName} has no statecode, so \`soft\` cannot mark a row`]
  return fields
    .filter(({ to }) => to === 'statecode' || to === 'statuscode')
    .map(({ to }) => `${target}.${to} is mapped, and \`soft\` deletes set it too: leave one out`)
}

function keyProblems(mapping: EntityMapping, table: Table): readonly string[] {
  const { target, keyFields } = mapping
  if (keyFields.length === 0)
    return [`${target}: no key fields; name the columns of an alternate key, such as \`keyFields: [erp_id]\``]
  const isPrimary = keyFields.length === 1 && keyFields[0] === table.primaryId
  const key = table.keys.find(({ columns }) => [...columns].sort().join() === [...keyFields].sort().join())
  if (!isPrimary && key === undefined)
    return [
      `table ${table.logicalName} has no alternate key of ${keyFields.join(', ')}: define it, or name the columns of one`,
    ]
  if (key !== undefined && key.state !== 'Active')
    return [
      `the alternate key of ${keyFields.join(', ')} of table ${table.logicalName} is ${key.state}: its index has to be active`,
    ]
  return keyFields.flatMap((column, at) => {
    const type = keyType(mapping, at)
    if (!isKeyType(type)) return [`${target}.${column}: a key cannot be a ${formatFieldType(type)}`]
    return columnProblems(table, column, type, true)
  })
}

function columnProblems(table: Table, name: string, type: FieldType, isKey = false): readonly string[] {
  const column = table.columns.get(name)
  if (column === undefined)
    return [`table ${table.logicalName} has no column ${name}: names are logical names, in lower case`]
  const takes = TAKES[column.type] ?? []
  if (!takes.includes(type.kind))
    return [
      takes.length === 0
        ? `column ${name} of table ${table.logicalName} is a ${column.type}: it is set through its navigation property, as a lookup`
        : `column ${name} of table ${table.logicalName} is a ${column.type} and does not take ${formatFieldType(type)}; it takes ${takes.join(', ')}`,
    ]
  if (isKey) return []
  if (!column.update) return [`column ${name} of table ${table.logicalName} may not be updated`]
  return column.create ? [] : [`column ${name} of table ${table.logicalName} may not be set when a row is made`]
}

function lookupProblems(
  { lookups }: EntityMapping,
  table: Table,
  name: string,
  tableOfSet: (entitySet: string) => Table | null,
): readonly string[] {
  const { target, keyField } = lookups[name]!
  const leadsTo = table.navigation.get(name)
  if (leadsTo === undefined)
    return [
      `table ${table.logicalName} has no navigation property ${name}: a lookup is named by it, and case counts (\`parentcustomerid_account\`)`,
    ]
  const other = tableOfSet(target)
  if (other === null) return [`lookup ${name}: Dataverse has no entity set ${target}`]
  if (other.logicalName !== leadsTo)
    return [`lookup ${name} leads to table ${leadsTo}, and not to ${other.logicalName}`]
  if (keyField === other.primaryId) return []
  return other.keys.some(({ columns, state }) => columns.length === 1 && columns[0] === keyField && state === 'Active')
    ? []
    : [`lookup ${name}: table ${other.logicalName} has no active alternate key of ${keyField} alone`]
}
