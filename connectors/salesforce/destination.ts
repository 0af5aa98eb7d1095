import { TributaryError } from '../../schemas/errors.ts'
import { BatchRefused, type Destination, type EntityMapping } from '../destination.ts'
import { createHttpClient } from '../http/client.ts'
import { budgetOf } from './api-usage.ts'
import { applyPatches, COLLECTION_MAX } from './apply.ts'
import { type Asker, createAsker, readPage } from './ask.ts'
import { type DescribedObject, readDescription } from './fit/describe.ts'
import { misfits, objectsOf } from './fit/misfits.ts'
import { createPaths, keysQuery, objectQuery } from './paths.ts'
import { previewOf } from './preview.ts'
import { keyFieldOf } from './record/fields.ts'
import { readRecord } from './record/read-record.ts'
import { createSession } from './session.ts'

export interface SalesforceOptions {
  /** The subscriber's name; `tributary/<name>` comes back in `changeOrigin` of the change events that its writes cause. */
  readonly name: string
  /** The organisation's My Domain address, such as `https://acme.my.salesforce.com`. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** Such as `v66.0`; `updateOnly` needs v61.0. */
  readonly apiVersion: string
  readonly allowAddresses: readonly string[]
  /** The most requests at one time. */
  readonly connections: number
  /** The most time for one request, in milliseconds. */
  readonly timeoutMs: number
  /** Default: twice {@link timeoutMs}. */
  readonly lateRequestMs?: number
  readonly mappings: readonly EntityMapping[]
}

/**
 * A Salesforce organisation as a subscriber: the REST API, objects found by an external id.
 *
 * It compares no versions. ETags exist for accounts alone, stand for contents (so that a value that returns looks unchanged), and neither
 * collections nor deletes look at them; `If-Unmodified-Since` counts in seconds ("Conditional Request Headers"). So an older value can stand
 * for the hold time and is then healed.
 */
export function createSalesforce(options: SalesforceOptions): Destination {
  const { name, mappings } = options
  const url = options.url.replace(/\/+$/, '')
  const originClient = `tributary/${name}`
  const http = createHttpClient(options)
  const session = createSession(http, { ...options, url, originClient })
  const paths = createPaths(options.apiVersion)
  for (const mapping of mappings) checkNames(name, mapping)

  const plan = async (): Promise<readonly string[]> => {
    const ask = createAsker(session, new AbortController().signal)
    const objects = new Map<string, DescribedObject | null>()
    for (const target of new Set(mappings.flatMap(objectsOf)))
      objects.set(target, await describe(ask, name, paths.describe(target)))
    return mappings.flatMap((mapping) => misfits(mapping, objects))
  }
  const refuseMisfits = async () => {
    const missing = await plan()
    if (missing.length > 0)
      throw new TributaryError(
        'destination-unsuitable',
        `subscriber "${name}": Salesforce cannot take the changes as declared; an administrator there has to see to it:\n${missing.map((step) => `- ${step}`).join('\n')}`,
      )
  }

  return {
    comparesVersions: false,
    lateRequestMs: options.lateRequestMs ?? 2 * options.timeoutMs,
    batchMax: COLLECTION_MAX,
    plan,
    provision: refuseMisfits,
    check: refuseMisfits,
    async apply(mapping, patches, signal) {
      if (patches.length > COLLECTION_MAX)
        throw new BatchRefused('batch-too-large', `more than ${COLLECTION_MAX} patches`)
      if (mapping.onDelete === 'soft' || mapping.onDelete === 'archive') {
        const error = new TributaryError(
          'destination-unsuitable',
          `subscriber "${name}": Salesforce has no delete policy \`${mapping.onDelete}\``,
        )
        return patches.map(() => ({ kind: 'unavailable', error }))
      }
      return await applyPatches(session, paths, mapping, patches, signal)
    },
    budget: () => budgetOf(session.usage, performance.now()),
    preview: (mapping, patch) => previewOf(url, paths, originClient, mapping, patch),
    async read(mapping, key, signal) {
      const ask = createAsker(session, signal)
      const page = readPage(await ask({ method: 'GET', path: paths.query(objectQuery(mapping, key)), body: null }))
      if ('kind' in page) throw unread(name, page)
      const [record, another] = page.records
      if (another !== undefined)
        throw new TributaryError('destination-unsuitable', `several objects of ${mapping.target} have this key`)
      return record === undefined ? null : readRecord(mapping, record)
    },
    async *keys(mapping, signal) {
      const ask = createAsker(session, signal)
      const keyField = keyFieldOf(mapping)
      for (let path: string | null = paths.query(keysQuery(mapping)); path !== null; ) {
        const page = readPage(await ask({ method: 'GET', path, body: null }))
        if ('kind' in page) throw unread(name, page)
        yield page.records.map((record) => record[keyField]).filter((key) => typeof key === 'string')
        path = page.next
      }
    },
    async close() {
      http.close()
    },
  }
}

async function describe(ask: Asker, name: string, path: string): Promise<DescribedObject | null> {
  const answer = await ask({ method: 'GET', path, body: null })
  if ('kind' in answer) throw unread(name, answer)
  if (answer.status === 404) return null
  const description = answer.status === 200 ? readDescription(answer.body) : null
  if (description === null)
    throw new TributaryError(
      'destination-unreachable',
      `subscriber "${name}": Salesforce answers ${answer.status} when it is asked to describe its objects`,
    )
  return description
}

function unread(name: string, failure: { readonly kind: string; readonly error?: Error }): TributaryError {
  const { kind, error } = failure
  if (error instanceof TributaryError)
    return new TributaryError(error.code, `subscriber "${name}": ${error.message}`, { cause: error })
  return new TributaryError('destination-unreachable', `subscriber "${name}": Salesforce is ${kind}`, { cause: error })
}

/** Names go into queries and paths. */
const API_NAME = /^[A-Za-z]\w{0,254}$/

function checkNames(name: string, mapping: EntityMapping): void {
  const lookups = Object.values(mapping.lookups).flatMap(({ target, keyField }) => [target, keyField])
  const names = [mapping.target, ...mapping.keyFields, ...mapping.fields.map(({ to }) => to), ...lookups]
  const bad = names.find((text) => !API_NAME.test(text))
  if (bad !== undefined)
    throw new TributaryError('declaration-invalid', `subscriber "${name}": ${bad} is no API name of Salesforce`)
}
