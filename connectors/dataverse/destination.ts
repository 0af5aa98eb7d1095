import { TributaryError } from '../../schemas/errors.ts'
import type { Destination, EntityMapping, Upsert } from '../destination.ts'
import { isObject } from '../exact-json.ts'
import { ask, createODataDestination, type ODataSystem } from '../odata/destination.ts'
import { keyType } from '../odata/key.ts'
import { createODataSession, type ODataOptions } from '../odata/session.ts'
import { budgetOf, CONCURRENT_MAX, type Told, told } from './budget.ts'
import { dataverseRefusal } from './codes.ts'
import { bodyOf, boundRow, findQueryOf, placeOf, softDeleteOf, writeQueryOf } from './dialect.ts'
import { problemsOf, type Table, tableOf, tablePath } from './schema.ts'

export interface DataverseOptions extends ODataOptions {
  readonly mappings: readonly EntityMapping[]
  /** Whether every write is conditional on the row's ETag (default). False for tables without optimistic concurrency. */
  readonly compare?: boolean
}

const ROOT = 'api/data/v9.2/'

/** Rows without the alternate key are somebody else's, and left out. */
const keysPathOf = ({ target, keyFields, onDelete }: EntityMapping): string =>
  `${target}?$select=${keyFields.join(',')}${onDelete === 'soft' ? `&$filter=${encodeURIComponent('statecode eq 0')}` : ''}`

/** Every row has one, whoever made it. No column of an alternate key is a GUID of its own ("Define alternate keys for a table"). */
const goesByPrimaryKey = (mapping: EntityMapping): boolean =>
  mapping.keyFields.some((_, at) => keyType(mapping, at).kind === 'uuid')

/**
 * Dynamics 365 on Dataverse as a subscriber: one PATCH a change, with the changed properties only, conditional on the row's ETag.
 * The mapping's target is an entity set (`accounts`), its key fields an alternate key or the primary key, its lookups are named by the
 * navigation property. Deletes: `hard`, `soft` (the row is deactivated) and `ignore`.
 */
export function createDataverse(options: DataverseOptions): Destination {
  let last: Told | null = null
  const connections = Math.min(options.connections, CONCURRENT_MAX)
  const org = options.url.replace(/\/+$/, '')
  const session = createODataSession({ ...options, connections }, ROOT, `${org}/.default`, (status, headers) => {
    last = told(last, status, headers, performance.now())
  })

  const described = { system: 'Dataverse', refusalOf: dataverseRefusal } as const
  const primaryIds = new Map<string, string>()
  const describe = async (entitySet: string, signal: AbortSignal): Promise<Table | null> => {
    const table = tableOf(await ask(session, described, tablePath(entitySet), signal))
    if (table !== null) primaryIds.set(entitySet, table.primaryId)
    return table
  }

  const system: ODataSystem = {
    ...described,
    comparesTags: options.compare ?? true,
    place: (mapping, key) => placeOf(mapping, key, () => primaryIds.get(mapping.target)),
    async prepare({ target }, signal) {
      if (!primaryIds.has(target) && (await describe(target, signal)) === null)
        throw new TributaryError('destination-unsuitable', `Dataverse has no entity set ${target}`)
    },
    body: bodyOf,
    findQuery: findQueryOf,
    writeQuery: writeQueryOf,
    softDelete: softDeleteOf,
    async missingReference(mapping, fields, signal) {
      const named = Object.keys(mapping.lookups).filter((to) => fields[to] !== undefined && fields[to] !== null)
      const targets = [...new Set(named.map((to) => mapping.lookups[to]!.target))]
      if (targets.length <= 1) return targets[0] ?? ''
      for (const to of named) if (await isMissing(mapping, fields, to, signal)) return mapping.lookups[to]!.target
      return ''
    },
    async problems(mappings, signal) {
      const sets = mappings.flatMap(({ target, lookups }) => [target, ...Object.values(lookups).map((to) => to.target)])
      const tables = new Map<string, Table | null>()
      for (const set of new Set(sets)) tables.set(set, await describe(set, signal))
      const comparesTags = options.compare ?? true
      return mappings.flatMap((mapping) => problemsOf(mapping, (set) => tables.get(set) ?? null, comparesTags))
    },
    readQuery(mapping) {
      const plain = mapping.fields.filter(({ to }) => mapping.lookups[to] === undefined).map(({ to }) => to)
      const expanded = mapping.fields.filter(({ to }) => mapping.lookups[to] !== undefined)
      const all = [...new Set([...plain, ...mapping.keyFields, ...(mapping.onDelete === 'soft' ? ['statecode'] : [])])]
      return [
        `$select=${all.join(',')}`,
        ...(expanded.length === 0
          ? []
          : [`$expand=${expanded.map(({ to }) => `${to}($select=${mapping.lookups[to]!.keyField})`).join(',')}`]),
      ]
    },
    fieldOf(mapping, field, row) {
      const lookup = mapping.lookups[field]
      const json = row[field]
      return lookup !== undefined && isObject(json) ? json[lookup.keyField] : json
    },
    keysPath: options.mappings.some(goesByPrimaryKey) ? null : keysPathOf,
    budget: () => budgetOf(last, performance.now()),
  }

  const isMissing = async (mapping: EntityMapping, fields: Upsert['fields'], to: string, signal: AbortSignal) => {
    const bound = boundRow(mapping, fields, to)
    if ('ok' in bound) return false
    const answer = await session.send(
      { method: 'GET', path: `${bound.path}?$select=${mapping.lookups[to]!.keyField}` },
      signal,
    )
    return answer.status === 404
  }

  return createODataDestination({ ...options, connections }, session, system)
}
