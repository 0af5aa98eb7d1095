import type { Destination, EntityMapping } from '../destination.ts'
import { writeObject } from '../exact-json.ts'
import { createODataDestination, type ODataSystem } from '../odata/destination.ts'
import type { Body, Member, Place } from '../odata/dialect.ts'
import { entityTypeOf } from '../odata/edmx.ts'
import { keyOf, predicateOf } from '../odata/key.ts'
import { fetchMetadata } from '../odata/metadata.ts'
import { metadataProblems } from '../odata/metadata-problems.ts'
import { type Blanks, holdsPart, onlyReference, plainBody, unblanked } from '../odata/plain-body.ts'
import { createRestBudget } from '../odata/rest-budget.ts'
import { createODataSession, type ODataOptions } from '../odata/session.ts'
import type { ValueForms } from '../odata/values.ts'
import { financeOperationsRefusal } from './refusals.ts'

export interface FinanceOperationsOptions extends ODataOptions {
  readonly mappings: readonly EntityMapping[]
  /** The legal entity that all objects are in: `dataAreaId`. */
  readonly company: string
}

/** "Open Data Protocol (OData)", dates: they are Edm.DateTimeOffset at noon. */
const FORMS: ValueForms = { dates: 'noon' }
/** It has no nulls: properties of its own types are not nullable, and a date that is not set is this one. */
const BLANKS: Blanks = { date: '1900-01-01T12:00:00Z', instant: '1900-01-01T00:00:00Z' }
/** Without it, only what is in the default company of the application user is found ("OData", cross-company behavior). */
const CROSS_COMPANY = 'cross-company=true'

/**
 * Dynamics 365 Finance & Operations as a subscriber, by the public data entities of its OData service: PATCH on the ETag of the object, POST
 * where it is missing. The mapping's target is an entity set (`CustomersV3`), its key fields the key properties after `dataAreaId`.
 * Deletes: `hard` and `ignore`.
 */
export function createFinanceOperations(options: FinanceOperationsOptions): Destination {
  const rest = createRestBudget(null, () => performance.now())
  const origin = options.url.replace(/\/+$/, '')
  const session = createODataSession(options, 'data/', `${origin}/.default`, rest.saw)
  const area = options.company.replaceAll("'", "''")

  const place = (mapping: EntityMapping, key: string): Place | Extract<Body, { ok: false }> => {
    const known = keyOf(mapping, key)
    if (!known.ok) return known
    const { parts } = known
    const address = mapping.target + predicateOf([{ name: 'dataAreaId', literal: `'${area}'` }, ...parts])
    return {
      address,
      find: (query) => `${address}?${[CROSS_COMPANY, ...query].join('&')}`,
      addressOf: () => address,
      isIt: (row) => parts.every((part) => holdsPart(part, row[part.name])),
      create: (members) => ({
        method: 'POST',
        path: `${mapping.target}?${CROSS_COMPANY}`,
        headers: { prefer: 'return=representation' },
        body: writeObject([
          ['dataAreaId', JSON.stringify(options.company)],
          ...parts.map(({ name, json }): Member => [name, json]),
          ...members,
        ]),
      }),
    }
  }

  const system: ODataSystem = {
    system: 'Finance & Operations',
    comparesTags: true,
    place,
    body: (mapping, fields) => plainBody(mapping, fields, FORMS, BLANKS),
    findQuery: ({ keyFields }) => [`$select=${keyFields.join(',')}`],
    writeQuery: () => `?${CROSS_COMPANY}`,
    setPath: ({ target, keyFields }) => `${target}?${CROSS_COMPANY}&$top=1&$select=${keyFields.join(',')}`,
    refusalOf: financeOperationsRefusal,
    softDelete: () => null,
    missingReference: async (mapping, fields) => onlyReference(mapping, fields),
    async problems(mappings, signal) {
      const metadata = await fetchMetadata(session, 'Finance & Operations', signal)
      const described = {
        name: 'Finance & Operations',
        policies: ['hard', 'ignore'],
        datesAre: 'Edm.DateTimeOffset',
      } as const
      return mappings.flatMap((mapping) => metadataProblems(mapping, entityTypeOf(metadata, mapping.target), described))
    },
    readQuery: ({ fields, keyFields }) => [
      `$select=${[...new Set([...keyFields, ...fields.map(({ to }) => to)])].join(',')}`,
    ],
    fieldOf: (_, field, row) => unblanked(row[field], BLANKS),
    keysPath: null,
    budget: rest.budget,
  }
  return createODataDestination(options, session, system)
}
