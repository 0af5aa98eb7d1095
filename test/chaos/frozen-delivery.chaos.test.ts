import { expect, onTestFinished, test } from 'vitest'
import { createFlow, eventually, type Flow, type FlowProcess, required } from '../support/flow.ts'
import { openGroupMembers } from '../support/group-members.ts'
import type { Hold } from '../support/hold.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { openRedisProxy } from '../support/proxies/redis-proxy.ts'
import type { TcpProxy } from '../support/proxies/tcp-proxy.ts'
import { untilQuiet } from '../support/quiet.ts'
import { declareItems, ITEMS_SQL, itemDifferences } from './delivery/items.ts'
import {
  dataverse,
  genericHttp,
  type Subscriber,
  salesforce,
  setBacks,
  WAREHOUSE_HISTORY,
  warehouse,
} from './delivery/subscribers.ts'

/** What a frozen member still has to get or to send when another has taken over. `STEPS=all` in the environment tries each. */
const ALL = ['before the gate', 'after the gate', 'in mid-request', 'after the answer'] as const
type Step = (typeof ALL)[number]
const STEPS: readonly Step[] = process.env.STEPS === 'all' ? ALL : ['in mid-request']

/** A request may be lost for longer than a group takes to replace a member (consumers/pipeline.ts), so that it can land behind a newer one. */
const TIMES = { timeoutMs: 20_000, lateRequestMs: 40_000 }
const WITHIN_MS = 90_000
const KEY = 'i-1'
const GROUP_SIZE = 2

test.each(STEPS)(
  'a member that was frozen %s, and replaced, leaves no old value',
  { timeout: 500_000 },
  async (step) => {
    const subscribers = [
      warehouse(),
      ...(await Promise.all([genericHttp, salesforce, dataverse].map((open) => open(TIMES)))),
    ]
    onTestFinished(async () => void (await Promise.all(subscribers.map((subscriber) => subscriber.close()))))
    const flow = await createFlow(
      (prefix) => declareItems(subscribers)(prefix).replace('partitions: 3', 'partitions: 1'),
      ITEMS_SQL,
    )
    onTestFinished(() => flow.close(), 120_000)
    await flow.provision()
    await flow.warehouse.unsafe(WAREHOUSE_HISTORY)
    await ageLedger(flow)
    flow.start('capture', 'erp')
    await flow.source`INSERT INTO items VALUES (${KEY}, 'first', 'd', 1)`
    const pairs = await Promise.all(subscribers.map((subscriber) => startPair(flow, subscriber)))

    const caught = pairs.map((pair) => catchAt(step, pair))
    await flow.source`UPDATE items SET name = 'old', revision = 2`
    const frozen = await Promise.all(caught)
    for (const { member } of frozen) member.kill('SIGSTOP')
    await flow.source`UPDATE items SET name = 'new', revision = 3`
    await Promise.all(subscribers.map((subscriber) => untilRevision(flow, subscriber, '3')))
    for (const { member, hold } of frozen) {
      member.kill('SIGCONT')
      hold.release()
    }
    await untilQuiet(flow)

    for (const subscriber of subscribers) {
      const story = () => pairs.flatMap(({ members }) => members.map((member) => member.log())).join('\n---\n')
      const history = (await subscriber.revisions(flow)).get(KEY)
      expect(await itemDifferences(flow, subscriber), `${history}\n${story()}`).toEqual([])
      const backwards = setBacks(new Map([[KEY, history!]]))
      // Where nothing is compared, a request that is long on its way sets the key back, and is healed.
      const mayGoBack = !subscriber.compares && step === 'in mid-request'
      expect(backwards, `${subscriber.name}: ${history}`).toEqual(mayGoBack ? [`${KEY}: 2 over 3`] : [])
    }
  },
)

interface Pair {
  readonly subscriber: Subscriber
  readonly members: readonly FlowProcess[]
  readonly ledgers: readonly TcpProxy[]
}

/** Two members of a group, of whom one has the only partition. */
async function startPair(flow: Flow, subscriber: Subscriber): Promise<Pair> {
  const settings = await subscriber.settings(flow)
  const ledgers = await Promise.all(
    Array.from({ length: GROUP_SIZE }, () => openRedisProxy(required('TRIBUTARY_REDIS_URL'))),
  )
  onTestFinished(async () => void (await Promise.all(ledgers.map((ledger) => ledger.close()))))
  const members = ledgers.map(({ url }) =>
    flow.startWith({ ...settings, TRIBUTARY_REDIS_URL: url }, 'deliver', subscriber.name),
  )
  const group = await openGroupMembers()
  try {
    const groupId = `${flow.prefix}.${subscriber.name}.standard`
    await eventually(async () => (await group.of(groupId)).length === GROUP_SIZE, 'both are in the group', WITHIN_MS)
  } finally {
    await group.close()
  }
  await untilRevision(flow, subscriber, '1')
  return { subscriber, members, ledgers }
}

async function untilRevision(flow: Flow, subscriber: Subscriber, revision: string): Promise<void> {
  await eventually(
    async () => (await subscriber.held(flow)).get(KEY)?.revision === revision,
    `${subscriber.name} has revision ${revision}`,
    WITHIN_MS,
  )
}

/** Keeps back the next thing of this step, and tells whose it is. */
async function catchAt(step: Step, pair: Pair): Promise<{ readonly member: FlowProcess; readonly hold: Hold }> {
  switch (step) {
    case 'before the gate':
      return await firstOf(pair, (ledger) => ledger.catch('request', 'gate'))
    case 'after the gate':
      return await firstOf(pair, (ledger) => ledger.catch('answer', 'gate'))
    case 'after the answer':
      return await firstOf(pair, (ledger) => ledger.catch('request', 'settle'))
    case 'in mid-request': {
      const { member, hold: gate } = await firstOf(pair, (ledger) => ledger.catch('answer', 'gate'))
      // At the warehouse a transaction begins with a request of its own.
      const hold = pair.subscriber.catch('request', pair.subscriber.name === 'warehouse' ? 1 : 0)
      gate.release()
      await hold.arrived
      return { member, hold }
    }
  }
}

async function firstOf({ members, ledgers }: Pair, catchIn: (ledger: TcpProxy) => Hold) {
  const holds = ledgers.map(catchIn)
  const at = await Promise.race(holds.map((hold, index) => hold.arrived.then(() => index)))
  for (const [index, hold] of holds.entries()) if (index !== at) hold.release()
  return { member: members[at]!, hold: holds[at]! }
}
