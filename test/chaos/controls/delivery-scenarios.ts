import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createProducer } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { parseDeadLetter } from '../../../schemas/dead-letter.ts'
import { formatMessage, type LetterPlace } from '../../../schemas/subscriber-command.ts'
import { commandsTopic, deadLetterTopic } from '../../../schemas/topics.ts'
import { copyRedis } from '../../support/servers/redis-log.ts'
import { FLAWS } from './flaws.ts'
import type { Scenario } from './scenario.ts'
import { ENTITY, PERSONAL, type Stage, SUBSCRIBER } from './stage.ts'

/** `a` and `b` are in one partition, and `d` is in the other. */
export const DELIVERY_SCENARIOS: readonly Scenario[] = [
  {
    // It dies between the ledger and the request, which is lost.
    flaw: FLAWS.ledgerFirst,
    part: 'deliver',
    breaks: ['G2', 'G4'],
    async happen(stage) {
      const { member } = await stage.begin()
      const request = await stage.caughtRequest(member, () => stage.set('a', { name: 'second' }))
      await stage.kill(member)
      request.drop()
      await stage.deliver()
    },
  },
  {
    // A dead owner's word to the ledger comes late: it takes away the mark of the present one, which dies before it has told the ledger.
    // Its record and the one that sets the field back then wait together, and become one.
    flaw: FLAWS.noFence,
    part: 'deliver',
    breaks: ['G4'],
    async happen(stage) {
      const { member: former } = await stage.begin()
      const late = former.ledger.catch('request', 'settle')
      await stage.set('a', { name: 'second' })
      await stage.arrived(late)
      await stage.kill(former)
      const present = await stage.deliver()
      await stage.untilCommitted(0)
      const settlements = await watchSettlements(stage)
      const request = await stage.caughtRequest(present, () => stage.set('a', { detail: 'other' }))
      late.release()
      await settlements.next()
      const settle = present.ledger.catch('request', 'settle')
      request.release()
      await stage.arrived(settle)
      await stage.kill(present)
      settle.drop()
      await stage.published(1, () => stage.set('a', { detail: 'd' }))
      await stage.deliver()
    },
  },
  {
    // One record is under way while a later one of its partition is finished. Then the process dies, and the request is lost.
    flaw: FLAWS.commitsPastHoles,
    part: 'deliver',
    breaks: ['G2', 'G4', 'G6'],
    async happen(stage) {
      const { member } = await stage.begin()
      const request = await stage.caughtRequest(member, () => stage.set('a', { name: 'second' }))
      await stage.set('b', { name: 'second' })
      await stage.untilHeld('b', 'second')
      // Whatever could be committed was, when two later rounds have been.
      for (const name of ['one', 'two']) {
        await stage.published(1, () => stage.set('d', { name }))
        await stage.untilCommitted(1)
      }
      await stage.untilSampled()
      await stage.kill(member)
      request.drop()
      await stage.deliver()
    },
  },
  {
    // Two records wait together and become one: what the first changed, the second does not say.
    flaw: FLAWS.changedFromTheWire,
    part: 'deliver',
    breaks: ['G2', 'G4'],
    async happen(stage) {
      const { member } = await stage.begin()
      await stage.stop(member)
      await stage.published(2, async () => {
        await stage.set('a', { name: 'second' })
        await stage.set('a', { detail: 'other' })
      })
      await stage.deliver()
    },
  },
  {
    // A change was applied, and the process died before the ledger knew; the next one sets the field back.
    flaw: FLAWS.uncertainIsCertain,
    part: 'deliver',
    breaks: ['G4'],
    async happen(stage) {
      const { member } = await stage.begin()
      const settle = member.ledger.catch('request', 'settle')
      await stage.set('a', { name: 'second' })
      await stage.arrived(settle)
      await stage.kill(member)
      settle.drop()
      await stage.published(1, () => stage.set('a', { name: 'first' }))
      await stage.deliver()
    },
  },
  {
    // Redis comes back as it was before a change; the next one sets the field back.
    flaw: FLAWS.runIdIgnored,
    part: 'deliver',
    breaks: ['G4', 'G11'],
    ownRedis: true,
    async happen(stage, redis) {
      const { member } = await stage.begin()
      await stage.stop(member)
      const copy = await copyRedis(redis!)
      const next = await stage.deliver()
      await stage.set('a', { name: 'second' })
      await stage.untilQuiet()
      await stage.stop(next)
      await stage.fault('set-back-ledger', 'redis', () => copy.setBack())
      await stage.published(1, () => stage.set('a', { name: 'first' }))
      await stage.deliver()
    },
  },
  {
    // A dead letter comes back into a lane where a newer record waits already.
    flaw: FLAWS.coalescedByArrival,
    part: 'deliver',
    breaks: ['G2', 'G4'],
    async happen(stage) {
      const { warehouse } = stage.flow
      await warehouse`ALTER TABLE items ADD CONSTRAINT no_refused CHECK (name <> 'refused')`
      const { member } = await stage.begin()
      for (const key of ['a', 'd']) await stage.set(key, { name: 'refused' })
      await stage.untilQuiet()
      const request = await stage.caughtRequest(member, () => stage.set('a', { name: 'third' }))
      await stage.published(1, () => stage.set('a', { name: 'fourth' }))
      // One that came later was delivered, so that one waits in its lane.
      await stage.set('b', { name: 'second' })
      await stage.untilHeld('b', 'second')
      await warehouse`ALTER TABLE items DROP CONSTRAINT no_refused`
      // In this order: when the second has come back, so has the first.
      await replay(stage, ['a', 'd'])
      await stage.untilHeld('d', 'refused')
      request.release()
    },
  },
  {
    // Someone takes an object away at the warehouse, and one field of it changes.
    flaw: FLAWS.partialCreates,
    part: 'deliver',
    breaks: ['G4'],
    async happen(stage) {
      await stage.begin()
      await stage.flow.warehouse`DELETE FROM items WHERE id = 'a'`
      await stage.set('a', { name: 'second' })
    },
  },
  {
    // A record is refused, and the next one of its key is not.
    flaw: FLAWS.lettersStay,
    part: 'deliver',
    breaks: ['G5'],
    async happen(stage) {
      const { warehouse } = stage.flow
      await warehouse`ALTER TABLE items ADD CONSTRAINT no_refused CHECK (name <> 'refused')`
      await stage.begin()
      await stage.set('a', { name: 'refused' })
      await stage.untilQuiet()
      await stage.set('a', { name: 'third' })
    },
  },
  {
    // What the server says of a row that it refuses has the row in it.
    flaw: FLAWS.valuesInReasons,
    part: 'deliver',
    breaks: ['G10'],
    async happen(stage) {
      await stage.flow.warehouse`ALTER TABLE items ADD CONSTRAINT d_only CHECK (detail = 'd')`
      await stage.begin()
      await stage.set('a', { detail: PERSONAL })
    },
  },
  {
    flaw: FLAWS.deletesIgnored,
    part: 'deliver',
    breaks: ['G2', 'G4'],
    async happen(stage) {
      await stage.begin()
      await stage.flow.source`DELETE FROM items WHERE id = 'a'`
    },
  },
]

/**
 * Follows what Redis carries out: `next` waits for the next settlement of the first partition, refused or not. On a socket of its own, as the
 * library takes what is carried out while it still waits for the answer to MONITOR for that answer.
 */
async function watchSettlements(stage: Stage): Promise<{ next(): Promise<void> }> {
  const { hostname, port } = new URL(stage.flow.env.TRIBUTARY_REDIS_URL!)
  const settled = `"tributary:${stage.flow.prefix}:{${SUBSCRIBER}/${ENTITY}/0}:progress"`
  const socket = connect(Number(port), hostname)
  let seen = ''
  socket.on('data', (chunk) => {
    seen += chunk
  })
  await once(socket, 'connect')
  socket.write('MONITOR\r\n')
  await stage.until(() => seen.startsWith('+OK'), 'Redis tells what it carries out')
  return {
    async next() {
      await stage.until(() => seen.includes(settled), 'something is settled, or refused')
      socket.destroy()
    },
  }
}

/** Has dead letters replayed, in this order. */
async function replay(stage: Stage, keys: readonly string[]): Promise<void> {
  const { declaration, kafka } = stage.flow.environment()
  const letters = new Map<string, { readonly partition: number; readonly letter: LetterPlace }>()
  const topic = deadLetterTopic(declaration.name, SUBSCRIBER)
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => {
    const head = parseDeadLetter(record.key, record.value, record.headers)
    if (head?.partition == null) return
    letters.set(head.key, { partition: head.partition, letter: { partition: record.partition, offset: record.offset } })
  })
  const at = new Date().toISOString()
  const producer = createProducer(kafka)
  try {
    await producer.connect()
    for (const key of keys) {
      const command = { kind: 'replay' as const, id: randomUUID(), entity: ENTITY, key, at, ...letters.get(key)! }
      await producer.send([
        { topic: commandsTopic(declaration.name, SUBSCRIBER), ...formatMessage(command), headers: {} },
      ])
    }
  } finally {
    await producer.close()
  }
}
