import { flush } from '../consumers/simulation/run.ts'
import type { CaptureCall, CaptureProcess } from './capture-process.ts'
import type { Row } from './database.ts'
import type { Flaws } from './flaws.ts'
import type { System } from './schedule.ts'

/** A schedule that goes wrong with the flaw and not without it. */
export interface Directed {
  readonly title: string
  readonly flaws: Flaws
  happen(system: System): Promise<void>
}

const ROUNDS_MAX = 500
const WHOLE: Row = { a: '0', b: '0', c: '0' }

/** Answers what captures ask until all that was written is captured. */
async function untilCaptured({ upstream, world }: System): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await flush()
    if (upstream.published && upstream.calls.length === 0) return
    if (!upstream.answer()) world.pass(200)
  }
  throw new Error('it was never captured')
}

/** Answers what captures ask until one of them sends a record of this key. It is not sent yet. */
async function untilSend({ upstream, world }: System, key: string): Promise<CaptureProcess> {
  const isIt = ({ records }: CaptureCall) => records.some((record) => record.key === key)
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await flush()
    const call = upstream.calls.find(isIt)
    if (call) return call.process
    if (!upstream.answer()) world.pass(200)
  }
  throw new Error('nothing was sent')
}

async function deliver({ world }: System): Promise<void> {
  world.fetch(100)
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

/** Everything up to here is captured, and no position is stored again before time passes. */
async function begin(system: System): Promise<void> {
  system.world.faults = false
  system.upstream.faults = false
  system.upstream.eventsMax = () => 1
  await untilCaptured(system)
}

export const DIRECTED: readonly Directed[] = [
  {
    title: 'a writer that was frozen and replaced sends what it had in hand',
    flaws: { noProducerFence: true },
    async happen(system) {
      const { upstream } = system
      await begin(system)
      upstream.database.commit([['z', { ...WHOLE, a: '1' }]])
      const former = await untilSend(system, 'z')
      upstream.freezeCapture(former)
      upstream.cutCapture(former)
      upstream.startCapture()
      upstream.database.commit([['z', { ...WHOLE, a: '2' }]])
      await untilCaptured(system)
      upstream.thawCapture()
      await untilCaptured(system)
    },
  },
  {
    title: 'a former writer appends behind what a sweep has read',
    flaws: { readsUnfenced: true },
    async happen(system) {
      const { upstream } = system
      await begin(system)
      upstream.database.commit([['z', WHOLE]])
      upstream.crashCapture(await untilSend(system, 'z'), 'late')
      upstream.database.commit([['z', null]])
      upstream.database.loseSlot()
      upstream.startCapture()
      await untilCaptured(system)
      upstream.landSend()
    },
  },
  {
    title: 'an old delete that was published again hides its key from the sweep',
    flaws: { sweepsByLast: true },
    async happen(system) {
      const { upstream } = system
      await begin(system)
      upstream.database.commit([['z', WHOLE]])
      await untilCaptured(system)
      upstream.database.commit([['z', null]])
      await untilSend(system, 'z')
      upstream.database.commit([['z', WHOLE]])
      upstream.answer(({ kind }) => kind === 'send')
      upstream.crashCapture(await untilSend(system, 'z'), 'carried out')
      upstream.startCapture()
      upstream.crashCapture(await untilSend(system, 'z'), 'carried out')
      await deliver(system)
      upstream.database.commit([['z', null]])
      upstream.database.loseSlot()
      upstream.startCapture()
    },
  },
  {
    title: 'a new history goes on with the epoch of the former one: a database that was set back',
    flaws: { sameEpoch: true },
    async happen(system) {
      const { upstream } = system
      await begin(system)
      upstream.database.commit([
        ['z', WHOLE],
        ['z', { ...WHOLE, a: '1' }],
      ])
      await untilCaptured(system)
      await deliver(system)
      upstream.database.loseSlot()
      // The rows as they are now come as of the same position, before any change at it.
      upstream.database.setBack('z', WHOLE)
      await untilCaptured(system)
    },
  },
]
