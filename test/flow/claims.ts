import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onLocalErp } from '../support/flow.ts'

/** A pipeline of one table with a field of each type that can be held by reference, and a folder for their values. */
export const declareDocuments = (prefix: string, folder: string, more = '') => `
${onLocalErp(prefix)}
${folder === '' ? '' : `blobs: { type: folder, path: "${folder}" }`}
${more}
entities:
  document:
    source: erp
    table: documents
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: int64, title: string, body: string, facts: json, scan: bytes }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { document: { table: documents } }
`

/** The identity is the key alone: a large value that a change does not touch is not in the log, and is read from the row. */
export const DOCUMENTS =
  'CREATE TABLE documents (id bigint PRIMARY KEY, title text, body text, facts jsonb, scan bytea);'

/** What a row is on either side, as text with the digests of its large values. */
export const DIGESTS = `
  SELECT id::text, title, length(body) || ' ' || md5(body) AS body, length(facts::text) || ' ' || md5(facts::text) AS facts,
    length(scan) || ' ' || md5(scan) AS scan
  FROM documents ORDER BY id`

/** Random text, so that nothing of it is compressed away: \`bytes\` of hexadecimal digits. */
export const randomText = (bytes: number) =>
  `(SELECT string_agg(md5(random()::text || n), '') FROM generate_series(1, ${Math.ceil(bytes / 32)}) n)`

export function makeFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tributary-blobs-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** The files of the blobs in a folder. */
export function blobFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /[0-9a-f]{64}$/.test(name) && !name.startsWith('.'))
    .map((name) => join(folder, name))
}
