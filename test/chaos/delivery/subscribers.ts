import { startDataverseSandbox } from '../../../connectors/dataverse/sandbox.ts'
import { startHttpSandbox } from '../../../connectors/http/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT as ENTRA_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { SANDBOX_CLIENT, startSalesforceSandbox } from '../../../connectors/salesforce/sandbox.ts'
import { SANDBOX_TOKEN, startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import type { Flow } from '../../support/flow.ts'
import type { Hold, Side } from '../../support/hold.ts'
import { openHttpProxy } from '../../support/proxies/http-proxy.ts'
import { openPostgresProxy } from '../../support/proxies/postgres-proxy.ts'

/** One key's mapped fields, as texts; null for a field that is empty. */
export type Fields = Readonly<Record<'name' | 'detail' | 'revision', string | null>>

/** A destination in front of which requests can be kept back. */
export interface Subscriber {
  readonly name: string
  /** What the declaration says of it, behind its name. */
  readonly declared: string
  /** Environment variables for who delivers to it, once the flow is there. */
  settings(flow: Flow): Promise<Readonly<Record<string, string>>>
  catch(side: Side, skip: number): Hold
  /** What it holds, by key. */
  held(flow: Flow): Promise<ReadonlyMap<string, Fields>>
  /** Whether it compares what it holds with what a change was made for. */
  readonly compares: boolean
  /** Every revision that took effect on a key, in order; of Shopify nothing is told. */
  revisions(flow: Flow): Promise<ReadonlyMap<string, readonly bigint[]>>
  close(): Promise<void>
}

export interface Times {
  readonly timeoutMs: number
  readonly lateRequestMs: number
}

const MANY = 1_000_000

/** The warehouse tells in a table of its own in what order revisions took effect. */
export const WAREHOUSE_HISTORY = `
  CREATE TABLE took_effect (number bigserial PRIMARY KEY, key text, revision bigint);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO took_effect (key, revision) VALUES (NEW.tributary_key, NEW.revision); RETURN NEW; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION note();`

export function warehouse(): Subscriber {
  let proxy: Awaited<ReturnType<typeof openPostgresProxy>> | undefined
  return {
    name: 'warehouse',
    compares: true,
    declared: `{ type: warehouse, url: "\${WAREHOUSE_URL}", entities: { item: { table: items } } }`,
    async settings({ warehouseUrl }) {
      proxy = await openPostgresProxy(warehouseUrl)
      return { WAREHOUSE_URL: proxy.url }
    },
    catch: (side, skip) => proxy!.catch(side, 'request', skip),
    async held({ warehouse: sql }) {
      const rows = await sql<({ id: string } & Fields)[]>`SELECT id, name, detail, revision::text FROM items`
      return new Map(rows.map(({ id, name, detail, revision }) => [id, { name, detail, revision }]))
    },
    async revisions({ warehouse: sql }) {
      const rows = await sql<{ key: string; revision: string }[]>`
        SELECT key, revision FROM took_effect ORDER BY number`
      return inOrder(rows.map(({ key, revision }) => [key, BigInt(revision)] as const))
    },
    close: async () => proxy?.close(),
  }
}

interface Behind {
  readonly name: string
  readonly sandbox: Sandbox
  /** @param times as a declaration has them */
  declared(url: string, times: string): string
  /** Where its objects are, and how one reads: key and fields. */
  readonly target: string
  fieldsOf(object: Readonly<Record<string, unknown>>): readonly [key: string, fields: Fields]
  readonly compares?: boolean
  /** A change of one object: its key and its revision in path and body. */
  readonly written?: { readonly key: RegExp; readonly revision: RegExp }
}

async function behindProxy(
  { name, sandbox, declared, target, fieldsOf, compares = false, written }: Behind,
  { timeoutMs, lateRequestMs }: Times,
): Promise<Subscriber> {
  const proxy = await openHttpProxy(sandbox.url)
  const times = `timeout: ${timeoutMs}ms, lateRequest: ${lateRequestMs}ms, allowAddresses: [127.0.0.1]`
  return {
    name,
    compares,
    declared: declared(proxy.url, times),
    settings: async () => ({}),
    catch: proxy.catch,
    async held() {
      // Numbers as their text: sandboxes keep every digit.
      const objects = JSON.parse(JSON.stringify(sandbox.objects(target))) as Record<string, unknown>[]
      return new Map(objects.map(fieldsOf))
    },
    async revisions() {
      if (written === undefined) return new Map()
      return inOrder(
        sandbox.requests.flatMap(({ method, path, body, result }) => {
          const key = written.key.exec(`${decodeURIComponent(path)} ${body}`)?.[1]
          const revision = written.revision.exec(body)?.[1]
          const tookEffect = method !== 'GET' && typeof result === 'number' && result < 300
          return key && revision && tookEffect ? [[key, BigInt(revision)] as const] : []
        }),
      )
    },
    async close() {
      await proxy.close()
      await sandbox.close()
    },
  }
}

const text = (value: unknown) => (value === null || value === undefined || value === '' ? null : String(value))

export async function genericHttp(times: Times): Promise<Subscriber> {
  return await behindProxy(
    {
      name: 'search',
      sandbox: await startHttpSandbox(),
      declared: (url, rest) => `{ type: http, url: "${url}", ${rest}, entities: { item: { target: "/items/{key}" } } }`,
      target: 'items',
      written: { key: /items\/([^/? ]+)/, revision: /"revision":(\d+)/ },
      fieldsOf({ key, value }) {
        const { name, detail, revision } = value as Record<string, unknown>
        return [String(key), { name: text(name), detail: text(detail), revision: text(revision) }]
      },
    },
    times,
  )
}

export async function salesforce(times: Times): Promise<Subscriber> {
  return await behindProxy(
    {
      name: 'sales',
      sandbox: await startSalesforceSandbox({ callsMax: MANY }),
      declared: (url, rest) =>
        `{ type: salesforce, url: "${url}", clientId: ${SANDBOX_CLIENT.clientId}, clientSecret: ${SANDBOX_CLIENT.clientSecret}, ${rest},
      entities: { item: { target: Account, key: Ext_Id__c, fields: { Name: name, Description: detail, Points__c: revision } } } }`,
      target: 'Account',
      written: { key: /Ext_Id__c(?:\/|":")([^/?" ]+)/, revision: /"Points__c":(\d+)/ },
      fieldsOf: (row) => [
        String(row.Ext_Id__c),
        { name: text(row.Name), detail: text(row.Description), revision: text(row.Points__c) },
      ],
    },
    times,
  )
}

export async function dataverse(times: Times): Promise<Subscriber> {
  const sandbox = await startDataverseSandbox({ limits: { requests: MANY } })
  return await behindProxy(
    {
      name: 'crm',
      sandbox,
      declared: (url, rest) =>
        `{ type: dataverse, url: "${url}", tokenUrl: "${url}/contoso/oauth2/v2.0/token", clientId: ${ENTRA_CLIENT.clientId},
      clientSecret: ${ENTRA_CLIENT.clientSecret}, ${rest},
      entities: { item: { target: accounts, key: erp_id, fields: { name: name, description: detail, erp_visits: revision } } } }`,
      target: 'accounts',
      fieldsOf: (row) => [
        String(row.erp_id),
        { name: text(row.name), detail: text(row.description), revision: text(row.erp_visits) },
      ],
      compares: true,
      written: { key: /accounts\(erp_id='([^']+)'\)/, revision: /"erp_visits":(\d+)/ },
    },
    times,
  )
}

export async function shopify(times: Times): Promise<Subscriber> {
  return await behindProxy(
    {
      name: 'shop',
      sandbox: await startShopifySandbox({ maximumAvailable: MANY, restoreRate: MANY }),
      declared: (url, rest) =>
        `{ type: shopify, url: "${url}", accessToken: ${SANDBOX_TOKEN}, ${rest},
      entities: { item: { target: product, key: handle, fields: { title: name, vendor: detail, templateSuffix: { format: "r{revision}" } } } } }`,
      target: 'product',
      fieldsOf: (product) => [
        String(product.handle),
        { name: text(product.title), detail: text(product.vendor), revision: text(product.templateSuffix)!.slice(1) },
      ],
    },
    times,
  )
}

function inOrder(all: readonly (readonly [key: string, revision: bigint])[]): Map<string, bigint[]> {
  const histories = new Map<string, bigint[]>()
  for (const [key, revision] of all) {
    const history = histories.get(key)
    if (history) history.push(revision)
    else histories.set(key, [revision])
  }
  return histories
}

/** G3: revisions only grow. @returns a line for each that an older one followed */
export function setBacks(histories: ReadonlyMap<string, readonly bigint[]>): string[] {
  return [...histories].flatMap(([key, history]) =>
    history.flatMap((revision, at) =>
      at > 0 && revision < history[at - 1]! ? [`${key}: ${revision} over ${history[at - 1]}`] : [],
    ),
  )
}
