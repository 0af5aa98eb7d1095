import { sandboxTable } from '../../../connectors/dataverse/sandbox/tables.ts'
import { startDataverseSandbox } from '../../../connectors/dataverse/sandbox.ts'
import type { Sandbox, SandboxOptions } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT as ENTRA_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { SANDBOX_CLIENT, startSalesforceSandbox } from '../../../connectors/salesforce/sandbox.ts'
import { SANDBOX_TOKEN, startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { same } from '../checker/objects.ts'
import type { EffectEntry, Fields, StateEntry } from './history.ts'

/** A vendor's system that holds articles: their id, title and revision. */
export interface RecordingVendor extends Pick<Sandbox, 'misbehave' | 'close'> {
  readonly history: readonly EffectEntry[]
  state(): StateEntry[]
  /** What a declaration says of it, behind its name. */
  readonly declared: string
}

export const VENDORS = ['salesforce', 'dataverse', 'shopify'] as const
export type Vendor = (typeof VENDORS)[number]

/** Those of an article that a vendor gets. */
export const VENDOR_FIELDS = { article: ['id', 'title', 'revision'] } as const

interface Shape {
  start(options: SandboxOptions): Promise<Sandbox>
  /** @param rest what is declared of all alike */
  declared(url: string, rest: string): string
  readonly target: string
  fieldsOf(object: Readonly<Record<string, unknown>>): Fields
}

const MANY = 1_000_000
const text = (value: unknown) => (value === null || value === undefined || value === '' ? null : String(value))

/** A table whose alternate key is a number, as an article's is. */
const NUMBERED = sandboxTable({
  logicalName: 'article',
  entitySet: 'articles',
  columns: { erp_id: { type: 'BigInt' }, name: { type: 'String', maxLength: 160 }, erp_visits: { type: 'BigInt' } },
})

const SHAPES: Readonly<Record<Vendor, Shape>> = {
  salesforce: {
    start: (options) => startSalesforceSandbox({ ...options, callsMax: MANY }),
    declared: (url, rest) =>
      `{ type: salesforce, url: "${url}", clientId: ${SANDBOX_CLIENT.clientId}, clientSecret: ${SANDBOX_CLIENT.clientSecret}, ${rest},
      entities: { article: { target: Account, key: Ext_Id__c, fields: { Name: title, Points__c: revision } } } }`,
    target: 'Account',
    fieldsOf: (row) => ({ id: text(row.Ext_Id__c), title: text(row.Name), revision: text(row.Points__c) }),
  },
  dataverse: {
    start: (options) => startDataverseSandbox({ ...options, tables: [NUMBERED], limits: { requests: MANY } }),
    declared: (url, rest) =>
      `{ type: dataverse, url: "${url}", tokenUrl: "${url}/contoso/oauth2/v2.0/token", clientId: ${ENTRA_CLIENT.clientId},
      clientSecret: ${ENTRA_CLIENT.clientSecret}, ${rest},
      entities: { article: { target: articles, key: erp_id, fields: { name: title, erp_visits: revision } } } }`,
    target: 'articles',
    fieldsOf: (row) => ({ id: text(row.erp_id), title: text(row.name), revision: text(row.erp_visits) }),
  },
  shopify: {
    start: (options) => startShopifySandbox({ ...options, maximumAvailable: MANY, restoreRate: MANY }),
    declared: (url, rest) =>
      `{ type: shopify, url: "${url}", accessToken: ${SANDBOX_TOKEN}, ${rest},
      entities: { article: { target: product, key: handle, fields: { title: title, templateSuffix: { format: "r{revision}" } } } } }`,
    target: 'product',
    fieldsOf: (product) => ({
      id: text(product.handle),
      title: text(product.title),
      revision: text(product.templateSuffix)?.slice(1) ?? null,
    }),
  },
}

/**
 * Starts a vendor's sandbox that writes down what each request left. What a request says is in the vendor's own words, without a version, so
 * what the sandbox holds is compared with what it held before.
 * @param name of the destination
 * @param times as a declaration has them
 */
export async function startRecordingVendor(name: string, vendor: Vendor, times: string): Promise<RecordingVendor> {
  const { start, declared, target, fieldsOf } = SHAPES[vendor]
  const history: EffectEntry[] = []
  let before = new Map<string, Fields>()
  const held = () => {
    const objects = JSON.parse(JSON.stringify(sandbox.objects(target))) as Record<string, unknown>[]
    return new Map(objects.map((object) => [fieldsOf(object).id!, fieldsOf(object)]))
  }
  const note = (key: string, after: Fields | null) =>
    history.push({
      destination: name,
      number: history.length + 1,
      atMs: Date.now(),
      entity: 'article',
      key,
      version: null,
      op: after === null ? 'delete' : 'write',
      sent: null,
      after,
      result: 'applied',
    })
  const onCarriedOut = () => {
    const now = held()
    for (const key of before.keys()) if (!now.has(key)) note(key, null)
    for (const [key, fields] of now) if (!same(before.get(key) ?? null, fields)) note(key, fields)
    before = now
  }
  const sandbox = await start({ onCarriedOut })
  return {
    declared: declared(sandbox.url, times),
    misbehave: (how) => sandbox.misbehave(how),
    close: () => sandbox.close(),
    history,
    state: () => [...held()].map(([key, fields]) => ({ place: name, entity: 'article', key, fields })),
  }
}
