import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Sql } from '../../../../connectors/postgres/connection.ts'
import { failure } from '../../../../connectors/postgres/failure.ts'
import type { Segment } from '../../../../connectors/postgres/snapshot/segment.ts'
import { planTurns } from '../../../../connectors/postgres/snapshot/turns.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

const never = new Promise<never>(() => {})
const raised = (code: string) => Object.assign(new Error('all in use'), { code })

function turnsOf(point: () => Promise<bigint>, start?: () => Promise<Segment>) {
  const told: string[] = []
  let ended = 0
  const segment = {
    point,
    end: async () => void ended++,
    rowsRead: () => 0,
    isBlocked: () => false,
  } as unknown as Segment
  const turns = planTurns({
    sql: (async () => [{ xid: '7', free: true }]) as unknown as Sql,
    source: 'shop',
    onNotice: ({ code }) => told.push(code),
    work: { open: () => [{}] as never, isFirst: () => false },
    rowsPerSecond: undefined,
    start: start ?? (async () => segment),
    signal: new AbortController().signal,
  })
  return { turns, told, segment, ended: () => ended }
}

test('a point for which the server has no slot, sender or connection left is told once and has a later turn', async () => {
  for (const code of ['53300', '53400']) {
    const { turns, told, ended } = turnsOf(() => Promise.reject(failure('taking a point', raised(code))))
    for (let turn = 0; turn < 3; turn++) {
      const segment = await turns.next()
      expect(await turns.point(segment!, never)).toBeUndefined()
      expect(await turns.next()).toBeUndefined()
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect([told, ended()]).toEqual([['snapshot-without-room'], 3])
  }
})

test('so is a question before it, and any other error is thrown', async () => {
  const { turns, told } = turnsOf(
    () => never,
    () => Promise.reject(raised('53300')),
  )
  expect(await turns.next()).toBeUndefined()
  expect(told).toEqual(['snapshot-without-room'])
  const other = turnsOf(() => Promise.reject(failure('taking a point', raised('42501'))))
  await expect(other.turns.point(other.segment, never)).rejects.toMatchObject({ code: 'source-unsuitable' })
})

test('the stream never holds longer than 60 s for a point', async () => {
  const { turns, segment } = turnsOf(() => never)
  const waits: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    const from = performance.now()
    const waiting = turns.point(segment, never)
    await vi.advanceTimersToNextTimerAsync()
    expect(await waiting).toBeUndefined()
    waits.push(performance.now() - from)
  }
  expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000])
})
