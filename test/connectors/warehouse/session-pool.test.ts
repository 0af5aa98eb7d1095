import { describe, expect, it } from 'vitest'
import type { Session } from '../../../connectors/warehouse/session.ts'
import { SessionPool } from '../../../connectors/warehouse/session-pool.ts'

interface FakeSession extends Session {
  usable: boolean
  closed: boolean
}

function fakeSession(): FakeSession {
  return {
    usable: true,
    closed: false,
    query: () => Promise.resolve([]),
    command: () => Promise.resolve(''),
    lost: new AbortController().signal,
    destroy() {
      this.usable = false
    },
    close() {
      this.closed = true
      return Promise.resolve()
    },
  }
}

function poolOf(size: number) {
  const opened: FakeSession[] = []
  const pool = new SessionPool(size, () => {
    opened.push(fakeSession())
    return Promise.resolve(opened.at(-1)!)
  })
  return { pool, opened }
}

const never = new AbortController().signal

describe('a pool of sessions', () => {
  it('lends an idle session again, but not one that was lost meanwhile', async () => {
    const { pool, opened } = poolOf(1)
    const first = await pool.lend(never, (session) => Promise.resolve(session))
    expect(await pool.lend(never, (session) => Promise.resolve(session))).toBe(first)
    opened[0]!.usable = false
    expect(await pool.lend(never, (session) => Promise.resolve(session))).not.toBe(first)
    expect(opened).toHaveLength(2)
  })

  it('forgets a session that its use destroyed, and gives the place back', async () => {
    const { pool, opened } = poolOf(1)
    const use = async (session: Session) => {
      session.destroy()
      throw new Error('broken')
    }
    await expect(pool.lend(never, use)).rejects.toThrow('broken')
    await pool.lend(never, () => Promise.resolve())
    expect(opened).toHaveLength(2)
  })

  it('never has more than its size open, and serves all who wait', async () => {
    const { pool, opened } = poolOf(2)
    let busy = 0
    let busiest = 0
    const use = async () => {
      busiest = Math.max(busiest, ++busy)
      await new Promise((resolve) => setImmediate(resolve))
      busy--
    }
    await Promise.all(Array.from({ length: 50 }, () => pool.lend(never, use)))
    expect(busiest).toBe(2)
    expect(opened).toHaveLength(2)
  })

  it('gives the place back when opening fails', async () => {
    let fail = true
    const pool = new SessionPool(1, () =>
      fail ? Promise.reject(new Error('refused')) : Promise.resolve(fakeSession()),
    )
    await expect(pool.lend(never, () => Promise.resolve())).rejects.toThrow('refused')
    fail = false
    await pool.lend(never, () => Promise.resolve())
  })

  it('a waiter that gives up leaves its turn to the next', async () => {
    const { pool } = poolOf(1)
    const gate = Promise.withResolvers<void>()
    const abort = new AbortController()
    const holding = pool.lend(never, () => gate.promise)
    const givenUp = pool.lend(abort.signal, () => Promise.resolve('late'))
    const next = pool.lend(never, () => Promise.resolve('next'))
    abort.abort(new Error('called off'))
    gate.resolve()
    await expect(givenUp).rejects.toThrow('called off')
    await holding
    expect(await next).toBe('next')
  })

  it('throws a session away that opens after its caller gave up', async () => {
    const opening = Promise.withResolvers<Session>()
    const pool = new SessionPool(1, () => opening.promise)
    const abort = new AbortController()
    const lent = pool.lend(abort.signal, () => Promise.resolve())
    // Opening begins a turn after lending does.
    await new Promise((resolve) => setImmediate(resolve))
    abort.abort(new Error('called off'))
    await expect(lent).rejects.toThrow('called off')
    const late = fakeSession()
    opening.resolve(late)
    await new Promise((resolve) => setImmediate(resolve))
    expect(late.usable).toBe(false)
  })

  it('says when too many wait', async () => {
    const { pool } = poolOf(1)
    const gate = Promise.withResolvers<void>()
    const all = [pool.lend(never, () => gate.promise)]
    for (let waiting = 0; waiting < 1000; waiting++) {
      expect(pool.crowded).toBe(false)
      all.push(pool.lend(never, () => Promise.resolve()))
    }
    expect(pool.crowded).toBe(true)
    gate.resolve()
    await Promise.all(all)
    expect(pool.crowded).toBe(false)
  })

  it('closing waits for what is lent, closes every session and lends no more', async () => {
    const { pool, opened } = poolOf(2)
    const gate = Promise.withResolvers<void>()
    const lent = pool.lend(never, () => gate.promise)
    await pool.lend(never, () => Promise.resolve())
    const closing = pool.close()
    await expect(pool.lend(never, () => Promise.resolve())).rejects.toMatchObject({ code: 'ECONNABORTED' })
    gate.resolve()
    await lent
    await closing
    expect(opened.every(({ closed }) => closed)).toBe(true)
  })
})
