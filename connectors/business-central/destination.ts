import type { Destination, EntityMapping } from '../destination.ts'
import { writeObject } from '../exact-json.ts'
import { createODataDestination, type ODataSystem } from '../odata/destination.ts'
import type { Body, Member, Place } from '../odata/dialect.ts'
import { entityTypeOf } from '../odata/edmx.ts'
import { filterOf, keyOf } from '../odata/key.ts'
import { fetchMetadata } from '../odata/metadata.ts'
import { metadataProblems } from '../odata/metadata-problems.ts'
import { type Blanks, holdsPart, onlyReference, plainBody, unblanked } from '../odata/plain-body.ts'
import { createRestBudget } from '../odata/rest-budget.ts'
import { createODataSession, type ODataOptions } from '../odata/session.ts'
import type { ValueForms } from '../odata/values.ts'
import { businessCentralRefusal } from './refusals.ts'

export interface BusinessCentralOptions extends ODataOptions {
  readonly mappings: readonly EntityMapping[]
  /** The id of the company, a GUID. */
  readonly company: string
}

const FORMS: ValueForms = { dates: 'date' }
/** It has no nulls: a text is empty, a number 0, and a date that is not set is this one. */
const BLANKS: Blanks = { date: '0001-01-01', instant: '0001-01-01T00:00:00Z' }
/** "Current API limits": requests of one user that are worked on at once; more of them wait there, and too many get 429. */
const CONCURRENT_MAX = 5
/** One application for all of Business Central online, whatever the environment. */
const SCOPE = 'https://api.businesscentral.dynamics.com/.default'
const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/**
 * Dynamics 365 Business Central as a subscriber, by its API v2.0: an object is found by its number, then changed by its id on its ETag
 * (which the API demands), or made by POST. The id is kept with the ETag, so that only the first change of an object asks for it.
 * The mapping's target is an entity set (`customers`), its key fields properties that identify it (`number`). Deletes: `hard` and `ignore`.
 */
export function createBusinessCentral(options: BusinessCentralOptions): Destination {
  const rest = createRestBudget(CONCURRENT_MAX, () => performance.now())
  const connections = Math.min(options.connections, CONCURRENT_MAX)
  const session = createODataSession({ ...options, connections }, '', SCOPE, rest.saw)
  const company = `companies(${options.company})`

  const place = (mapping: EntityMapping, key: string): Place | Extract<Body, { ok: false }> => {
    const known = keyOf(mapping, key)
    if (!known.ok) return known
    const { parts } = known
    const set = `${company}/${mapping.target}`
    return {
      address: null,
      find: (query) => `${set}?${[`$filter=${filterOf(parts)}`, ...query].join('&')}`,
      addressOf: ({ id }) => (typeof id === 'string' && GUID.test(id) ? `${set}(${id})` : null),
      isIt: (row) => parts.every((part) => holdsPart(part, row[part.name])),
      create: (members) => ({
        method: 'POST',
        path: set,
        body: writeObject([...parts.map(({ name, json }): Member => [name, json]), ...members]),
      }),
    }
  }

  const system: ODataSystem = {
    system: 'Business Central',
    comparesTags: true,
    place,
    body: (mapping, fields) => plainBody(mapping, fields, FORMS, BLANKS),
    findQuery: ({ keyFields }) => [`$select=id,${keyFields.join(',')}`],
    writeQuery: () => '',
    refusalOf: businessCentralRefusal,
    softDelete: () => null,
    missingReference: async (mapping, fields) => onlyReference(mapping, fields),
    async problems(mappings, signal) {
      const metadata = await fetchMetadata(session, 'Business Central', signal)
      const described = { name: 'Business Central', policies: ['hard', 'ignore'], datesAre: 'Edm.Date' } as const
      return mappings.flatMap((mapping) => metadataProblems(mapping, entityTypeOf(metadata, mapping.target), described))
    },
    readQuery: ({ fields, keyFields }) => [
      `$select=${[...new Set(['id', ...keyFields, ...fields.map(({ to }) => to)])].join(',')}`,
    ],
    fieldOf: (_, field, row) => unblanked(row[field], BLANKS),
    keysPath: null,
    budget: rest.budget,
  }
  return createODataDestination({ ...options, connections }, session, system)
}
