import type { SandboxAnswer } from '../../http/sandbox-server.ts'
import { json } from './answer.ts'
import { relationshipNameOf, type SandboxObject } from './objects.ts'
import { parseQuery, type Query } from './soql.ts'
import { RequestRefused, type Store, type StoredRecord } from './store.ts'

/** "Query", and the pages that follow. */
export function runQuery(
  store: Store,
  text: string | null,
  more: string | undefined,
  version: string,
  pageMax: number,
): SandboxAnswer {
  // A locator holds all that is needed to go on, so that nothing is kept between pages.
  const [soql, offset] = more === undefined ? [text ?? '', 0] : readLocator(more)
  const query = parseQuery(soql)
  if (query === null) throw new RequestRefused('MALFORMED_QUERY', 'unexpected token')
  const object = store.object(query.object)
  if (object === undefined) throw new RequestRefused('INVALID_TYPE', `sObject type '${query.object}' is not supported.`)
  const columns = query.fields.map((name) => columnOf(store, object, name))
  const found = matching(store, object, query).slice(0, query.limit ?? undefined)
  const page = found.slice(offset, offset + pageMax)
  const done = offset + pageMax >= found.length
  return json(200, {
    totalSize: found.length,
    done,
    ...(done ? {} : { nextRecordsUrl: `/services/data/${version}/query/${locator(soql, offset + pageMax)}` }),
    records: page.map(([id, record]) =>
      Object.assign({ attributes: { type: object.name } }, ...columns.map((column) => column(id, record))),
    ),
  })
}

type Column = (id: string, record: StoredRecord) => Readonly<Record<string, unknown>>

function columnOf(store: Store, object: SandboxObject, name: string): Column {
  const unknown = new RequestRefused('INVALID_FIELD', `No such column '${name}' on entity '${object.name}'.`)
  if (name.toLowerCase() === 'id') return (id) => ({ Id: id })
  const [relationship = '', member] = name.split('.')
  if (member !== undefined) {
    const field = object.fields.find((one) => relationshipNameOf(one) === relationship)
    const target = field && store.object(field.referenceTo?.[0] ?? '')
    if (!field || !target) throw unknown
    const inner = columnOf(store, target, member)
    return (_id, record) => {
      const referred = record.get(field.name)
      const other = typeof referred === 'string' ? store.records(target.name).get(referred) : undefined
      return { [relationship]: other ? { attributes: { type: target.name }, ...inner(String(referred), other) } : null }
    }
  }
  const field = object.fields.find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (field === undefined) throw unknown
  return (_id, record) => ({ [field.name]: record.get(field.name) ?? null })
}

function matching(store: Store, object: SandboxObject, { where }: Query): readonly [string, StoredRecord][] {
  const records = store.records(object.name)
  if (where === null) return [...records]
  const field = object.fields.find(({ name }) => name.toLowerCase() === where.field.toLowerCase())
  if (field === undefined)
    throw new RequestRefused('INVALID_FIELD', `No such column '${where.field}' on entity '${object.name}'.`)
  if (where.not || where.values.includes(null))
    return [...records].filter(([, record]) => ((record.get(field.name) ?? null) === null) !== where.not)
  const ids = new Set(where.values.flatMap((value) => store.find(object, field, value)))
  return [...ids].map((id) => [id, records.get(id)!])
}

function locator(soql: string, offset: number): string {
  return `01gSB${Buffer.from(JSON.stringify([soql, offset])).toString('base64url')}`
}

function readLocator(text: string): [string, number] {
  return JSON.parse(Buffer.from(text.slice('01gSB'.length), 'base64url').toString('utf8')) as [string, number]
}
