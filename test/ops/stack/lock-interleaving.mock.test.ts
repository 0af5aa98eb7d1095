import { AsyncLocalStorage } from 'node:async_hooks'
import type * as fs from 'node:fs/promises'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createDataFolder, type DataFolder, dataFolder } from '../../../ops/stack/data-folder.ts'
import { lockOwner, releaseLock, takeLock } from '../../../ops/stack/supervision/lock.ts'
import type * as identities from '../../../ops/stack/supervision/process-identity.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { randomOf } from '../../consumers/simulation/random.ts'

/*
 * The lock's real code on a real folder, as processes that take turns: each waits before every operation on a file until it is its turn,
 * and may be killed there. `SEED` and `SCHEDULES` in the environment choose the first seed and how many there are.
 */

const world = vi.hoisted(() => ({ turn: async (): Promise<void> => {}, alive: new Set<number>() }))

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const inTurn = <Args extends readonly unknown[], Result>(operation: (...args: Args) => Promise<Result>) => {
    return async (...args: Args) => {
      await world.turn()
      return operation(...args)
    }
  }
  const { link, readFile, rename, rm, writeFile } = real
  return {
    ...real,
    link: inTurn(link),
    readFile: inTurn(readFile),
    rename: inTurn(rename),
    rm: inTurn(rm),
    writeFile: inTurn(writeFile),
  }
})

vi.mock('../../../ops/stack/supervision/process-identity.ts', async (importOriginal) => ({
  ...(await importOriginal<typeof identities>()),
  isAlive: ({ pid }: identities.ProcessIdentity) => world.alive.has(pid),
}))

type State = 'contends' | 'holds' | 'releases' | 'refused' | 'dead'

interface Contender {
  readonly pid: number
  state: State
  /** Lets it do what it waits to do; null while it does not wait. */
  go: (() => void) | null
}

const current = new AsyncLocalStorage<Contender>()
/** Told when a contender waits for its turn or has ended. */
let stood = () => {}

world.turn = async () => {
  const contender = current.getStore()
  if (contender === undefined) return
  await new Promise<void>((resolve) => {
    contender.go = resolve
    stood()
  })
}

const CONTENDERS = 4
/** A turn. */
const KILLED = 0.03
const RELEASED = 0.05
const STALE = '{"pid":1,"startMark":"gone"}'

/** Runs until every contender has ended or holds the lock. @returns how each ended */
async function contend(folder: DataFolder, seed: number, faults: boolean): Promise<readonly State[]> {
  const random = randomOf(seed)
  const contenders = Array.from(
    { length: CONTENDERS },
    (_, index): Contender => ({ pid: 10 + index, state: 'contends', go: null }),
  )
  world.alive = new Set(contenders.map(({ pid }) => pid))

  const moved = (start: () => void) =>
    new Promise<void>((resolve) => {
      stood = resolve
      start()
    })
  const run = (contender: Contender, then: State, work: () => Promise<void>) =>
    moved(() => {
      current.run(contender, () => {
        const ended = (state: State) => {
          contender.state = state
          stood()
        }
        work().then(
          () => ended(then),
          (error: unknown) => {
            if (!(error instanceof TributaryError)) throw error
            ended('refused')
          },
        )
      })
    })
  for (const contender of contenders)
    await run(contender, 'holds', () => takeLock(folder, { pid: contender.pid, startMark: `${seed}` }))

  const kill = (contender: Contender) => {
    contender.state = 'dead'
    contender.go = null
    world.alive.delete(contender.pid)
  }
  for (;;) {
    const waiting = contenders.filter(({ go }) => go !== null)
    if (waiting.length === 0) return contenders.map(({ state }) => state)
    const holder = contenders.find(({ state }) => state === 'holds')
    if (faults && random.chance(KILLED)) kill(random.pick([...waiting, ...(holder ? [holder] : [])]))
    else if (faults && holder !== undefined && random.chance(RELEASED)) {
      holder.state = 'releases'
      await run(holder, 'dead', () => releaseLock(folder))
    } else {
      const next = random.pick(waiting)
      const go = next.go!
      next.go = null
      await moved(go)
    }
    for (const contender of contenders) if (contender.state === 'dead') kill(contender)
    const holding = contenders.filter(({ state }) => state === 'holds' || state === 'releases')
    expect(holding.length, `living owners, SEED=${seed} SCHEDULES=1`).toBeLessThanOrEqual(1)
  }
}

async function staleFolder(): Promise<DataFolder> {
  const folder = dataFolder(await mkdtemp(join(tmpdir(), 'tributary-lock-')))
  onTestFinished(() => rm(folder.root, { recursive: true, force: true }))
  await createDataFolder(folder)
  await writeFile(folder.lockFile, STALE)
  return folder
}

const SEED = Number(process.env.SEED ?? Math.floor(Date.now() / 1000) % 1_000_000)
const SCHEDULES = Number(process.env.SCHEDULES ?? 150)
const SEEDS = Array.from({ length: SCHEDULES }, (_, index) => SEED + index)

test(`whatever the turns of those that find a stale lock, exactly one gets it, and the lock is all that is left (SEED=${SEED} SCHEDULES=${SCHEDULES})`, async () => {
  for (const seed of SEEDS) {
    const folder = await staleFolder()
    const ended = await contend(folder, seed, false)
    expect([...ended].sort(), `SEED=${seed} SCHEDULES=1`).toEqual(['holds', 'refused', 'refused', 'refused'])
    expect(await lockOwner(folder), `SEED=${seed} SCHEDULES=1`).toEqual({
      pid: 10 + ended.indexOf('holds'),
      startMark: `${seed}`,
    })
    expect(await readdir(dirname(folder.lockFile)), `SEED=${seed} SCHEDULES=1`).toEqual(['lock'])
  }
})

test(`also where they are killed at any step, or give the lock up, it never has two owners and can be taken afterwards (SEED=${SEED} SCHEDULES=${SCHEDULES})`, async () => {
  for (const seed of SEEDS) {
    const folder = await staleFolder()
    const ended = await contend(folder, seed, true)
    const late = { pid: 99, startMark: 'late' }
    world.alive.add(late.pid)
    if (ended.includes('holds')) await expect(takeLock(folder, late)).rejects.toMatchObject({ code: 'stack-locked' })
    else {
      await takeLock(folder, late)
      expect(await lockOwner(folder), `SEED=${seed} SCHEDULES=1`).toEqual(late)
    }
  }
})
