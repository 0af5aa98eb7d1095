import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createTokenSource, type Token, tokenOf } from '../../../connectors/http/token.ts'

/** Tokens t1, t2, …, good for as long as told; answered when told. */
function endpoint(forMs: number | null = 1000) {
  const waiting: PromiseWithResolvers<Token>[] = []
  let nowMs = 0
  const source = createTokenSource(
    () => {
      const asked = Promise.withResolvers<Token>()
      waiting.push(asked)
      return asked.promise
    },
    () => nowMs,
  )
  return {
    source,
    asked: () => waiting.length,
    give: () => waiting.at(-1)!.resolve({ value: `t${waiting.length}`, forMs }),
    fail: () => waiting.at(-1)!.reject(new Error('no')),
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

describe('a token', () => {
  it('is asked for once, however many wait for it', async () => {
    const { source, asked, give } = endpoint()
    const waiting = [source.get(), source.get(), source.get()]
    expect(asked()).toBe(1)
    give()
    expect(await Promise.all(waiting)).toEqual(['t1', 't1', 't1'])
    expect(await source.get()).toBe('t1')
    expect(asked()).toBe(1)
  })

  it('is renewed before it runs out, counted from when it was asked for', async () => {
    const { source, give, pass } = endpoint(1000)
    const first = source.get()
    pass(500)
    give()
    expect(await first).toBe('t1')
    pass(299)
    expect(await source.get()).toBe('t1')
    pass(1)
    const second = source.get()
    give()
    expect(await second).toBe('t2')
  })

  it('without a time is good until it is refused', async () => {
    const { source, asked, give, pass } = endpoint(null)
    const first = source.get()
    give()
    await first
    pass(1e12)
    expect(await source.get()).toBe('t1')
    expect(asked()).toBe(1)
  })

  it('is asked for again when it was refused, once for all who were refused with it', async () => {
    const { source, asked, give } = endpoint()
    const first = source.get()
    give()
    await first
    source.refused('t1')
    source.refused('t1')
    const again = [source.get(), source.get()]
    give()
    expect(await Promise.all(again)).toEqual(['t2', 't2'])
    // One who was refused with the old one late does not take the new one away.
    source.refused('t1')
    expect(await source.get()).toBe('t2')
    expect(asked()).toBe(2)
  })

  it('that could not be had is asked for again the next time', async () => {
    const { source, give, fail } = endpoint()
    const waiting = [source.get(), source.get()]
    fail()
    for (const got of await Promise.allSettled(waiting)) expect(got.status).toBe('rejected')
    const again = source.get()
    give()
    expect(await again).toBe('t2')
  })

  it('keeps nobody waiting who has been called off, and the others still get it', async () => {
    const { source, give } = endpoint()
    const aborting = new AbortController()
    const [left, stays] = [source.get(aborting.signal), source.get()]
    aborting.abort(new Error('stop'))
    await expect(left).rejects.toThrow('stop')
    give()
    expect(await stays).toBe('t1')
    await expect(source.get(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped')
  })

  it('that fails when nobody waits any more disturbs nobody', async () => {
    const { source, give, fail } = endpoint()
    const aborting = new AbortController()
    const left = source.get(aborting.signal)
    aborting.abort(new Error('stop'))
    await expect(left).rejects.toThrow('stop')
    fail()
    const next = source.get().catch(() => source.get())
    await new Promise(setImmediate)
    give()
    expect(await next).toBe('t2')
  })
})

describe('the answer of a token endpoint', () => {
  const read = (status: number, answer: unknown) =>
    tokenOf(status, Buffer.from(JSON.stringify(answer)), 'login.example')

  it('gives the token, and how long it is good', () => {
    expect(read(200, { access_token: 'abc', expires_in: 3600, x: 1 })).toMatchObject({ value: 'abc', forMs: 3_600_000 })
    // Entra's first endpoints answered it as a string.
    expect(read(200, { access_token: 'abc', expires_in: '60' }).forMs).toBe(60_000)
    for (const none of [{}, { expires_in: null }, { expires_in: 'soon' }, { expires_in: 0 }, { expires_in: -1 }])
      expect(read(200, { access_token: 'abc', ...none }).forMs).toBeNull()
  })

  it('that refuses the credentials is for a person; any other may come right', () => {
    const codeOf = (status: number, answer: unknown) => {
      try {
        read(status, answer)
      } catch (error) {
        return (error as { code: string }).code
      }
      return null
    }
    expect([400, 401, 403].map((status) => codeOf(status, { error: 'invalid_client' }))).toEqual(
      Array(3).fill('destination-unsuitable'),
    )
    expect([429, 500, 503, 302].map((status) => codeOf(status, {}))).toEqual(Array(4).fill('destination-unreachable'))
    expect(codeOf(200, {})).toBe('destination-unreachable')
    expect(codeOf(200, [])).toBe('destination-unreachable')
  })

  it('is not repeated in the error', () => {
    const canary = 'Canary-91'
    for (const answer of [{ error: canary, error_description: canary }, canary])
      for (const status of [200, 401, 500]) {
        const thrown: unknown[] = []
        try {
          read(status, answer)
        } catch (error) {
          thrown.push(error)
        }
        expect(thrown).toHaveLength(1)
        expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain(canary)
      }
  })
})
