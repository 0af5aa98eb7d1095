import { expect, onTestFinished, test } from 'vitest'
import { startDataverseSandbox } from '../../connectors/dataverse/sandbox.ts'
import { startHttpSandbox } from '../../connectors/http/sandbox.ts'
import type { Misbehaviour, Sandbox } from '../../connectors/http/sandbox-server.ts'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { SANDBOX_CLIENT as ENTRA_CLIENT } from '../../connectors/odata/sandbox-rules.ts'
import { startSalesforceSandbox } from '../../connectors/salesforce/sandbox.ts'
import { startShopifySandbox } from '../../connectors/shopify/sandbox.ts'
import { captureDeadLetterTopic, deadLetterTopic } from '../../schemas/topics.ts'
import { startCli } from '../support/cli.ts'
import { createFlow, eventually, type Flow, onLocalErp, required } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { countRecords } from '../support/topics/topic-history.ts'

// Values that stand nowhere else. Keys are not personal; everything else that a person or a secret has in it must stay inside records, requests
// and the declaration.

const PERSONAL = { name: 'Canarina Canary', email: 'canary@post.example', tax: 'TAX-canary-4711', note: 'canary-note' }
const SECRETS = {
  signing: `whsec_${Buffer.from('canary-signing-secret-0000').toString('base64')}`,
  bearer: 'canary-bearer',
  sales: 'canary-sales-secret',
  refused: 'canary-refused-secret',
  shop: 'shpat_canary',
  fingerprint: 'canary-fingerprint-key-32-characters',
} as const
/** How each of the sandbox's tokens begins. */
const SALESFORCE_TOKEN = '00DSB!'
const PEOPLE = 6
const WITHIN_MS = 90_000

interface Behind {
  readonly name: string
  readonly sandbox: Sandbox
}

/** What destinations do wrong is over soon. */
const SOON = 'retry: { first: 200ms }\n    breaker: { probeEvery: 200ms..1s }'

const declare = (url: (name: string) => string, more: string) => (prefix: string) =>
  `
${onLocalErp(prefix)}
entities:
  person:
    source: erp
    table: people
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields:
      id: string
      name: { type: string, personal: true }
      email: { type: string, personal: true }
      tax: { type: string, personal: true }
      note: { type: string, personal: true }
      credit: decimal(12,2)
subscribers:
  warehouse: { type: warehouse, url: "\${WAREHOUSE_URL}", retry: { first: 200ms }, entities: { person: { table: people } } }
  search:
    type: http
    url: "${url('search')}"
    ${SOON}
    timeout: 3s
    lateRequest: 6s
    secrets: ["\${SIGNING_SECRET}"]
    headers: { authorization: "Bearer \${BEARER}" }
    allowAddresses: [127.0.0.1]
    entities: { person: { target: "/people/{key}" } }
  sales:
    type: salesforce
    url: "${url('sales')}"
    ${SOON}
    timeout: 3s
    lateRequest: 6s
    clientId: tributary
    clientSecret: "\${SALES_SECRET}"
    allowAddresses: [127.0.0.1]
    entities:
      person: { target: Account, key: Ext_Id__c, fields: { Name: name, Email__c: email, Tax_Id__c: tax, Description: note, Balance__c: credit } }
  crm:
    type: dataverse
    url: "${url('crm')}"
    ${SOON}
    timeout: 3s
    lateRequest: 6s
    tokenUrl: "${url('crm')}/contoso/oauth2/v2.0/token"
    clientId: ${ENTRA_CLIENT.clientId}
    clientSecret: ${ENTRA_CLIENT.clientSecret}
    allowAddresses: [127.0.0.1]
    entities: { person: { target: accounts, key: erp_id, fields: { name: name, accountnumber: tax, description: note } } }
  shop:
    type: shopify
    url: "${url('shop')}"
    ${SOON}
    timeout: 3s
    lateRequest: 6s
    accessToken: "\${SHOP_TOKEN}"
    allowAddresses: [127.0.0.1]
    entities: { person: { target: product, key: handle, fields: { title: name, vendor: email, productType: tax, descriptionHtml: note } } }
${more}`

/** One whose secret is refused. */
const denied = (url: string) => `  denied:
    type: salesforce
    url: "${url}"
    clientId: tributary
    clientSecret: "\${REFUSED_SECRET}"
    allowAddresses: [127.0.0.1]
    entities: { person: { target: Contact, key: Ext_Id__c, fields: { LastName: name } } }
`

async function startBehind(): Promise<readonly Behind[]> {
  const all = [
    {
      name: 'search',
      sandbox: await startHttpSandbox({ secrets: [SECRETS.signing], authorization: `Bearer ${SECRETS.bearer}` }),
    },
    { name: 'sales', sandbox: await startSalesforceSandbox({ clientId: 'tributary', clientSecret: SECRETS.sales }) },
    { name: 'crm', sandbox: await startDataverseSandbox() },
    { name: 'shop', sandbox: await startShopifySandbox({ accessToken: SECRETS.shop }) },
  ]
  onTestFinished(async () => void (await Promise.all(all.map(({ sandbox }) => sandbox.close()))))
  return all
}

test('no secret, no token and nothing of a person is in what processes print, serve or write beside the record', {
  timeout: 900_000,
}, async () => {
  const behind = await startBehind()
  const url = (name: string) => behind.find((one) => one.name === name)!.sandbox.url
  const flow = await createFlow(
    declare(url, ''),
    `CREATE TABLE people (id text PRIMARY KEY, name text, email text, tax text, note text, credit numeric);
     ALTER TABLE people REPLICA IDENTITY FULL;`,
    {
      TRIBUTARY_FINGERPRINT_KEY: SECRETS.fingerprint,
      SIGNING_SECRET: SECRETS.signing,
      BEARER: SECRETS.bearer,
      SALES_SECRET: SECRETS.sales,
      REFUSED_SECRET: SECRETS.refused,
      SHOP_TOKEN: SECRETS.shop,
    },
  )
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
  await ageLedger(flow)
  await flow.warehouse`ALTER TABLE people ADD CHECK (credit >= 0), ADD UNIQUE (email)`
  const env = { ...flow.env, TRIBUTARY_DEBUG: '1' }
  const running = startCli(['run', '-f', flow.file, '--port', '0', '--log-level', 'debug'], env)
  onTestFinished(async () => void (await running.stop()))
  const { name, email, tax, note } = PERSONAL
  await flow.source`INSERT INTO people SELECT 'p-' || i, ${name}, i || ${email}, ${tax} || i, ${note}, i FROM generate_series(1, ${PEOPLE}) i`
  const told = new Map<string, string>()
  try {
    await misbehave(flow, behind)
    flow.writeDeclaration(declare(url, denied(url('sales')))(flow.prefix))
    const refused = await startCli(['deliver', 'denied', '-f', flow.file, '--port', '0', '--log-level', 'debug'], env)
      .exited
    expect(refused.code).toBe(1)
    told.set('deliver denied', refused.stdout + refused.stderr)
    const names = ['warehouse', ...behind.map((one) => one.name)]
    await served(told, running.stderr())
    await commanded(told, flow, env, names)
    await written(told, flow, names)
  } catch (error) {
    throw new Error(running.stderr().slice(-8_000), { cause: error })
  } finally {
    const { stdout, stderr } = await running.stop()
    told.set('run', stdout + stderr)
  }

  const password = new URL(required('TRIBUTARY_POSTGRES_URL')).password
  const canaries = [
    ...Object.values(PERSONAL),
    ...Object.values(SECRETS),
    SALESFORCE_TOKEN,
    ENTRA_CLIENT.clientSecret,
    password,
  ]
  const found = [...told].flatMap(([what, text]) =>
    canaries.flatMap((canary) => {
      const at = text.indexOf(canary)
      return at < 0 ? [] : [`${what}: ${text.slice(Math.max(0, at - 300), at + 60)}`]
    }),
  )
  expect(found).toEqual([])
})

/** All that destinations do wrong, one thing after the other, and a row that cannot be encoded. */
async function misbehave(flow: Flow, behind: readonly Behind[]): Promise<void> {
  const all = async (how: Misbehaviour) => void (await Promise.all(behind.map(({ sandbox }) => sandbox.misbehave(how))))
  const answered =
    (result: unknown, those = behind) =>
    () =>
      those.every(({ sandbox }) => sandbox.requests.some((request) => request.result === result))
  const everyRow = (what: string) => flow.source.unsafe(`UPDATE people SET note = note || ' ${what}'`)
  await eventually(
    async () => (await flow.warehouse`SELECT FROM people`).length === PEOPLE,
    'the people are at the warehouse',
    WITHIN_MS,
  )
  for (const status of [500, 400]) {
    await all({ status, times: 3 })
    await everyRow(String(status))
    await eventually(answered(status), `everyone has answered ${status}`, WITHIN_MS)
  }
  await all({ reset: 'after', times: 2 })
  await everyRow('reset')
  await eventually(answered('reset-after'), 'everyone has cut a connection', WITHIN_MS)
  await all({ throttle: { retryAfterSeconds: 1 }, times: 1 })
  await everyRow('throttled')
  await all({ rejectKeys: ['p-2'] })
  await flow.source`UPDATE people SET credit = CASE id WHEN 'p-2' THEN -1 ELSE credit END, note = note || ' refused'`
  // A value that another has, and one that is none.
  await flow.source`UPDATE people SET email = (SELECT email FROM people WHERE id = 'p-1') WHERE id = 'p-3'`
  await flow.source`UPDATE people SET credit = 'NaN' WHERE id = 'p-4'`
  await eventually(async () => (await countRecords(flow, lettersOf(flow, 'erp'))) > 0, 'erp has a letter', WITHIN_MS)
  // Earlier refusals have left letters too; this one is what is shown in the end.
  for (const name of ['warehouse', ...behind.map((one) => one.name)])
    await eventually(
      async () => (await flow.run('dlq', 'show', name, 'person', 'p-2', '--json')).stdout.includes('p-2'),
      `${name} has a letter of p-2`,
      WITHIN_MS,
    )
  await all({ rejectKeys: ['p-2'], expireTokens: true })
  await everyRow('expired')
  const ofTokens = behind.filter(({ name }) => name !== 'search')
  await eventually(answered(401, ofTokens), 'tokens are refused', WITHIN_MS)
}

async function served(told: Map<string, string>, log: string): Promise<void> {
  const url = /http:\/\/127\.0\.0\.1:\d+(?=")/.exec(
    /"[^"]*serv[^"]*"[^\n]*|[^\n]*"url"[^\n]*/.exec(log)?.[0] ?? log,
  )![0]
  for (const path of ['/metrics', '/healthz', '/readyz']) told.set(path, await (await fetch(url + path)).text())
  expect(told.get('/metrics')).toContain('tributary_')
}

async function commanded(
  told: Map<string, string>,
  flow: Flow,
  env: NodeJS.ProcessEnv,
  subscribers: readonly string[],
): Promise<void> {
  const commands = [
    ['validate'],
    ['provision'],
    ['status'],
    ['dlq', 'list', 'erp'],
    ['dlq', 'show', 'erp', 'person', 'p-4'],
    ['preview', 'denied', 'person', 'p-1'],
    ...subscribers.flatMap((name) => [
      ['dlq', 'list', name],
      ['dlq', 'show', name, 'person', 'p-2'],
      ['preview', name, 'person', 'p-1'],
      ['preview', name, 'person', 'p-2', '--full'],
    ]),
    ['dlq', 'replay', 'warehouse', 'person', 'p-2', '--timeout', '30'],
  ]
  for (const command of commands)
    await Promise.all(
      [[], ['--json']].map(async (json) => {
        const { stdout, stderr } = await startCli([...command, '-f', flow.file, ...json], env).exited
        told.set([...command, ...json].join(' '), stdout + stderr)
      }),
    )
  // What was asked for was found: an error alone proves little.
  for (const name of subscribers) {
    expect(told.get(`dlq show ${name} person p-2`)).toContain('p-2')
    expect(JSON.parse(told.get(`preview ${name} person p-2 --full --json`)!)).toMatchObject({ ok: true })
  }
}

function lettersOf({ prefix }: Flow, name: string): string {
  return name === 'erp' ? captureDeadLetterTopic(prefix, name) : deadLetterTopic(prefix, name)
}

/** Keys and headers of the dead-letter topics; the values are the records themselves. */
async function written(told: Map<string, string>, flow: Flow, subscribers: readonly string[]): Promise<void> {
  const { kafka, declaration } = flow.environment()
  for (const topic of ['erp', ...subscribers].map((name) => lettersOf(flow, name))) {
    const lines: string[] = []
    await readTopic(kafka, declaration.kafka.brokers, topic, ({ key, headers, value }) => {
      const texts = Object.entries(headers).map(([header, text]) => `${header}: ${text}`)
      lines.push([key?.toString(), ...texts, topic.includes('capture') ? value?.toString() : ''].join('\n'))
    })
    expect(lines.length, topic).toBeGreaterThan(0)
    told.set(topic, lines.join('\n'))
  }
}
