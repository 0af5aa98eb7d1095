import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lookout } from '../../../ops/exporter/lookout.ts'
import { groupsOf } from '../../../ops/process/delivery.ts'
import { createFlow, eventually, type Flow, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  customer:
    source: erp
    table: customers
    key: id
    owner: sales
    freshness: 15m
    partitions: 2
    fields: { id: int64, credit: int64 }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { customer: { table: customers } }
`
const { signal } = new AbortController()
let flow: Flow

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE customers (id bigint PRIMARY KEY, credit bigint);
     INSERT INTO customers SELECT g, 0 FROM generate_series(1, 20) g`,
  )
  await flow.provision()
  await flow.warehouse.unsafe('ALTER TABLE customers ADD CHECK (credit >= 0)')
})

afterAll(() => flow?.close())

test('sees a group that never ran, one that has finished all, its dead letters, and records that wait while nobody delivers', {
  timeout: 180_000,
}, async () => {
  const lookout = new Lookout(flow.environment())
  try {
    const fresh = await lookout.look(signal)
    expect(fresh).toMatchObject({ up: { kafka: true, registry: true, redis: true }, failures: [] })
    expect(fresh.groups).toMatchObject([{ subscriber: 'warehouse', entityClass: 'standard', members: 0 }])
    expect(fresh.groups[0]!.partitions.map(({ committed }) => committed)).toEqual([null, null])
    expect(fresh.ledger).toMatchObject({ evictedKeys: 0, policy: 'noeviction' })

    const capturing = flow.start('capture', 'erp')
    const delivering = flow.start('deliver', 'warehouse')
    await untilQuiet(flow)
    await eventually(async () => {
      const { groups } = await lookout.look(signal)
      return groups[0]!.partitions.every(({ committed, high, waitingSinceMs }) => {
        return (committed ?? 0n) === high && waitingSinceMs === null
      })
    }, 'all is finished')

    await flow.source`UPDATE customers SET credit = -1 WHERE id = 7`
    await eventually(async () => {
      const { letters } = await lookout.look(signal)
      const dead = letters[0]!.counts.find(({ state }) => state === 'dead')!
      return dead.open === 1 && Math.abs(Date.now() - dead.oldestSinceMs!) < 60_000
    }, 'the dead letter is counted')

    delivering.kill('SIGTERM')
    await delivering.exited
    const before = Date.now()
    await flow.source`UPDATE customers SET credit = 5`
    await eventually(async () => {
      const { groups } = await lookout.look(signal)
      const waiting = groups[0]!.partitions.flatMap(({ waitingSinceMs }) => waitingSinceMs ?? [])
      return groups[0]!.members === 0 && waiting.length === 2 && waiting.every((at) => Math.abs(at - before) < 60_000)
    }, 'records wait')
    capturing.kill('SIGTERM')
    await capturing.exited
  } finally {
    await lookout.close()
  }
})

test('servers that do not answer are named, one by one', async () => {
  const environment = flow.environment()
  const away = { ...environment.declaration, redis: { url: 'redis://127.0.0.1:1' } }
  const lookout = new Lookout({ ...environment, declaration: away })
  try {
    const look = await lookout.look(signal)
    expect(look.up).toEqual({ kafka: true, registry: true, redis: false })
    expect(look.failures.map(({ code }) => code)).toEqual(['ledger-unreachable'])
    expect(look.groups.map(({ groupId }) => groupId)).toEqual(
      groupsOf(away, away.subscribers.get('warehouse')!).map(({ groupId }) => groupId),
    )
  } finally {
    await lookout.close()
  }
})

test('serves what it sees, and ends when it is asked to', { timeout: 120_000 }, async () => {
  const exporter = flow.start('exporter')
  const url = await eventuallyUrl(exporter.log)
  await eventually(
    async () => (await (await fetch(`${url}/metrics`)).text()).includes('tributary_lag_seconds{'),
    'a look',
  )
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  exporter.kill('SIGTERM')
  expect(await exporter.exited).toBe(0)
})

async function eventuallyUrl(log: () => string): Promise<string> {
  const url = () => /"url":"(http:[^"]+)"/.exec(log())?.[1]
  await eventually(() => url() !== undefined, 'it serves')
  return url()!
}
