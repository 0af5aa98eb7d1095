import type { Outcome } from '../../../connectors/destination.ts'
import type { Flaws } from './flaws.ts'
import { LATE_MS } from './member.ts'
import { flush } from './run.ts'
import type { Compares } from './subscriber.ts'
import type { World } from './world.ts'

/** A schedule that goes wrong with the flaw and not without it. */
export interface Directed {
  readonly title: string
  readonly flaws: Flaws
  readonly compares: Compares
  happen(world: World): Promise<void>
}

const ROUNDS_MAX = 500

/** Answers every call until a request waits at the destination. */
async function untilRequest(world: World): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await flush()
    if (world.requests.some(({ member }) => member === world.member)) return
    if (world.calls.some(({ member }) => member === world.member)) world.answerCall()
    else world.pass(100)
    world.heartbeat()
  }
  throw new Error('nothing was sent')
}

/** Answers everything until the member has nothing to do. */
async function untilIdle(world: World): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await flush()
    if (world.idle) return
    world.answerCall()
    world.answerRequest()
    world.pass(10)
    world.heartbeat()
  }
  throw new Error('it never became idle')
}

/** Has one patch applied and settled, where the topic has more than was fetched. */
async function finishOne(world: World): Promise<void> {
  await untilRequest(world)
  world.answerRequest()
  await settled(world)
}

async function settled(world: World): Promise<void> {
  await flush()
  while (world.calls.length > 0) {
    world.answerCall()
    await flush()
  }
}

async function deliver(world: World): Promise<void> {
  world.fetch(10)
  await untilIdle(world)
  world.commit()
}

/** Past the time in which a key that the ledger has not seen counts as uncertain. */
async function begin(world: World, fields: Readonly<Record<string, string>>): Promise<void> {
  world.faults = false
  world.origin.put('x', fields)
  await deliver(world)
  world.pass(2 * LATE_MS)
  world.origin.put('x', { c: 'begun' })
  await deliver(world)
}

/** An owner has let a newer record through, whose request is lost and lands so much later; the next owner fetches the one before it. */
async function loseNewer(world: World, landsInMs: number): Promise<void> {
  await begin(world, WHOLE)
  world.origin.put('x', { c: '1' })
  world.origin.put('x', { b: '1' })
  world.fetch(10)
  await untilRequest(world)
  world.crash(landsInMs)
  world.fetch(1)
  await untilRequest(world)
}

/** What the newer record said is said no more, and it is not on the topic either. */
function takeBack(world: World): void {
  world.origin.put('x', { b: '0' })
  world.origin.compactAll()
}

const UNAVAILABLE: Outcome = { kind: 'unavailable', error: new Error('as told') }
const REFUSED: Outcome = { kind: 'rejected', code: 'refused', reason: 'as told' }
const BLOCKED: Outcome = { kind: 'blocked', by: '', code: 'blocked', reason: 'as told' }
const WHOLE = { a: '0', b: '0', c: '0' }

export const DIRECTED: readonly Directed[] = [
  {
    title: 'a newer request that was lost lands after a full patch was applied, and before that is settled',
    flaws: { timeEnds: true },
    compares: 'versions',
    async happen(world) {
      await loseNewer(world, LATE_MS / 2)
      world.answerRequest()
      await flush()
      world.pass(LATE_MS + 1)
      world.heartbeat()
      await settled(world)
      takeBack(world)
    },
  },
  {
    title: 'a newer request that was lost lands later than any should, where versions are compared',
    flaws: { timeEnds: true },
    compares: 'versions',
    async happen(world) {
      await loseNewer(world, 3 * LATE_MS)
      world.answerWith(UNAVAILABLE)
      world.pass(LATE_MS + 1)
      world.heartbeat()
      await finishOne(world)
      world.pass(2 * LATE_MS)
      world.heartbeat()
      takeBack(world)
    },
  },
  {
    title: 'a mark is missed: crash between answer and ledger, and compaction takes that record',
    flaws: { noMarks: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { b: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.answerRequest()
      world.crash()
      world.origin.put('x', { b: '0' })
      world.origin.compactAll()
    },
  },
  {
    title: 'an unknown request counts as not applied, and lands after a newer one',
    flaws: { unknownIsCertain: true },
    compares: 'nothing',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.loseRequest(LATE_MS - 1)
      await untilRequest(world)
      await untilIdle(world)
      world.origin.put('x', { a: '0' })
      await deliver(world)
    },
  },
  {
    title: 'a replaced owner is not fenced: it clears the mark of the new one, which then crashes',
    flaws: { noFence: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.answerRequest()
      world.freeze()
      await deliver(world)
      world.origin.put('x', { b: '1' })
      world.fetch(10)
      await untilRequest(world)
      const held = world.requests.splice(0)
      world.thaw()
      await flush()
      world.answerCall()
      await flush()
      world.requests.push(...held)
      world.answerRequest()
      world.crash()
      world.origin.put('x', { b: '0' })
      world.origin.compactAll()
    },
  },
  {
    title: 'the run id is ignored: Redis came back without its tail',
    flaws: { runIdIgnored: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.saveLedger()
      world.origin.put('x', { a: '1' })
      await deliver(world)
      world.restartLedger(false)
      world.origin.put('x', { a: '0' })
    },
  },
  {
    title: 'the run id is ignored: Redis came back without an entry, and a lost request lands',
    flaws: { runIdIgnored: true },
    compares: 'nothing',
    async happen(world) {
      world.faults = false
      world.origin.put('y', WHOLE)
      await deliver(world)
      world.saveLedger()
      world.pass(2 * LATE_MS)
      world.origin.put('x', { ...WHOLE, a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.crash(LATE_MS - 1)
      world.restartLedger(false)
      await deliver(world)
      world.origin.put('x', { a: '0' })
      await deliver(world)
    },
  },
  {
    title: 'waiting records become the one that came last: the end of the topic is stale',
    flaws: { coalescesByArrival: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.origin.put('x', { a: '2' })
      world.origin.appendStale(3)
    },
  },
  {
    title: 'an offset is committed past an unfinished record',
    flaws: { commitsPastHoles: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      const held = world.requests.splice(0)
      world.origin.put('y', WHOLE)
      world.fetch(10)
      await untilRequest(world)
      world.answerRequest()
      await flush()
      world.answerCall()
      await flush()
      world.commit()
      world.requests.push(...held)
      world.crash(10 * LATE_MS * LATE_MS)
    },
  },
  {
    title: 'a full patch older than what is in flight ends the doubt',
    flaws: { anyFullPatchEnds: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { b: '1' })
      world.origin.put('x', { a: '1' })
      // The member that gets both sends one patch of the newer version, which lands late.
      world.fetch(10)
      await untilRequest(world)
      world.crash(900)
      world.fetch(1)
      await finishOne(world)
      world.origin.put('x', { a: '0' })
    },
  },
  {
    title: 'a delete counts as kept where it is not: a lost request makes the object again',
    flaws: { deletesCountAsKept: true },
    compares: 'tags',
    async happen(world) {
      world.faults = false
      world.origin.put('x', WHOLE)
      world.fetch(10)
      await untilRequest(world)
      world.crash(LATE_MS - 100)
      await deliver(world)
      world.origin.put('x', null)
      await deliver(world)
    },
  },
  {
    title: 'an older letter that succeeds ends the letter of a newer record',
    flaws: { anyEndsLetter: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      for (const a of ['1', '2']) {
        world.origin.put('x', { a })
        world.fetch(10)
        await untilRequest(world)
        world.answerWith(REFUSED)
        await untilIdle(world)
      }
      world.replayLetter(0)
      await untilIdle(world)
    },
  },
  {
    title: 'a replaced owner writes its dead letter over that of a newer record',
    flaws: { sendsOutOfTouch: true, noFence: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      const held = world.requests.splice(0)
      world.freeze()
      world.origin.put('x', { a: '2' })
      world.fetch(10)
      await untilRequest(world)
      world.answerWith(REFUSED)
      await untilIdle(world)
      world.requests.push(...held)
      world.thaw()
      world.answerWith(REFUSED)
      await flush()
      while (world.calls.length > 0) {
        world.answerCall()
        await flush()
      }
    },
  },
  {
    title: 'a record that waits alone goes over a newer one of its key',
    flaws: { parkedGoesLast: true, letsOlderIn: true },
    compares: 'nothing',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.origin.put('x', { a: '2' })
      world.fetch(10)
      world.answerWith(BLOCKED)
      await flush()
    },
  },
  {
    title: 'an offset is committed past a record that waits alone',
    flaws: { parkedIsFinished: true },
    compares: 'versions',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.answerWith(BLOCKED)
      await flush()
      while (world.calls.length > 0) {
        world.answerCall()
        await flush()
      }
      world.commit()
      world.crash(0)
    },
  },
  {
    title: 'a full patch is not repeated where versions are not compared',
    flaws: { neverHolds: true },
    compares: 'nothing',
    async happen(world) {
      await begin(world, WHOLE)
      world.origin.put('x', { a: '1' })
      world.fetch(10)
      await untilRequest(world)
      world.crash(LATE_MS - 1)
      await deliver(world)
      world.origin.put('x', { a: '0' })
      await deliver(world)
    },
  },
]
