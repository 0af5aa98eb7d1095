import { describe, expect, test } from 'vitest'
import { type Part, REST_MS_MAX, REST_MS_MIN, runParts } from '../../../ops/process/parts.ts'
import { Readiness } from '../../../ops/process/readiness.ts'
import { TributaryError } from '../../../schemas/errors.ts'

const REFUSED = new TributaryError('destination-unsuitable', 'the password is refused')
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

function partOf(name: string, run: Part['run']) {
  const reasons: string[] = []
  return { name, run, onFailed: (reason: string) => void reasons.push(reason), reasons }
}

describe('parts of one process', () => {
  test('one whose system refuses it rests, longer each time, and the others never notice', async () => {
    const stop = new AbortController()
    const rests: number[] = []
    let starts = 0
    const refused = partOf('deliver crm', async () => {
      starts++
      throw REFUSED
    })
    let endedBy: unknown
    const healthy = partOf('capture erp', async (signal) => {
      await untilAborted(signal)
      endedBy = rests.length
    })
    const rest = async (ms: number) => {
      rests.push(ms)
      if (rests.length === 8) stop.abort()
    }
    const logged: string[] = []
    await runParts([refused, healthy], (level, message) => logged.push(`${level} ${message}`), stop.signal, rest)
    expect(endedBy).toBe(8)
    expect(starts).toBe(8)
    expect(rests[0]).toBe(REST_MS_MIN)
    expect(rests).toEqual([...rests].sort((a, b) => a - b))
    expect(rests.at(-1)).toBe(REST_MS_MAX)
    expect(refused.reasons[0]).toBe('the password is refused')
    expect(logged[0]).toMatch(/^error deliver crm stopped/)
  })

  test('one that is put right goes on', async () => {
    const stop = new AbortController()
    let starts = 0
    const mended = partOf('deliver crm', async () => {
      starts++
      if (starts === 1) throw REFUSED
      stop.abort()
    })
    await runParts(
      [mended, partOf('capture erp', untilAborted)],
      () => {},
      stop.signal,
      async () => {},
    )
    expect(starts).toBe(2)
  })

  test('a part that is alone ends the process at once, and so does the last one at work', async () => {
    const never = new AbortController().signal
    const refused = () => partOf('deliver crm', () => Promise.reject(REFUSED))
    await expect(runParts([refused()], () => {}, never)).rejects.toBe(REFUSED)
    await expect(
      runParts(
        [refused(), refused()],
        () => {},
        never,
        (_ms, signal) => untilAborted(signal),
      ),
    ).rejects.toBe(REFUSED)
  })

  test.each(['topic-missing', 'invariant-broken', 'ledger-unsuitable'] as const)(
    '%s concerns all: all are drained, and the process ends with it',
    async (code) => {
      const error = new TributaryError(code, 'no')
      let drained = false
      const other = partOf('capture erp', async (signal) => {
        await untilAborted(signal)
        drained = true
      })
      const running = runParts(
        [partOf('deliver crm', () => Promise.reject(error)), other],
        () => {},
        new AbortController().signal,
      )
      await expect(running).rejects.toBe(error)
      expect(drained).toBe(true)
    },
  )
})

test('a process is ready while one part is stopped and another works, and says why', () => {
  const readiness = new Readiness()
  const works = readiness.part('capture erp')
  readiness.part('deliver crm standard')
  works(true)
  expect(readiness.ready).toBe(false)
  readiness.failed('deliver crm standard', 'the password is refused')
  expect(readiness.ready).toBe(true)
  expect(readiness.parts()).toEqual({ 'capture erp': true, 'deliver crm standard': false })
  expect(readiness.reasons()).toEqual({ 'deliver crm standard': 'the password is refused' })
})
