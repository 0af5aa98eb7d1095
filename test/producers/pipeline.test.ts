import { expect, test } from 'vitest'
import type { OutgoingRecord, Producer } from '../../connectors/kafka/producer.ts'
import type { Source, SourceEvent, StoredState } from '../../connectors/source.ts'
import { capture } from '../../producers/pipeline.ts'
import { parseStored } from '../../producers/positions.ts'
import { TributaryError } from '../../schemas/errors.ts'

const STATE: StoredState = { values: new Map(), position: null }

function change(position: bigint): SourceEvent {
  return {
    kind: 'change',
    missing: [],
    change: {
      entity: 'customer',
      key: `k${position}`,
      op: 'update',
      version: { epoch: 1n, position, ordinal: 0 },
      changed: null,
      after: {},
      source: {
        system: 'postgres',
        instance: 'erp',
        object: 'public.customers',
        position: String(position),
        transaction: null,
        committedAt: position,
        capturedAt: position,
      },
      origin: null,
      claims: {},
    },
  }
}

/**
 * A source with a log of ten positions, and a Kafka that keeps what it acknowledged. `fail` decides about each send. A stream may `break`
 * off by itself after a position.
 */
function world(fail: (sends: number) => Error | null | Promise<null>, breaksAfter?: bigint) {
  const kept: string[] = []
  let settled = 0n
  let sends = 0
  const log: string[] = []
  const stop = new AbortController()
  const openSource = (): Source => {
    log.push('source opened')
    const source: Partial<Source> = {
      prepare: async () => {},
      async *events(_context, signal) {
        for (let position = settled + 1n; position <= 10n && !signal.aborted; position++) {
          yield [change(position), { kind: 'progress', position }]
          if (position === breaksAfter) return
        }
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
      requireHeld: async () => {},
      acknowledge(position) {
        for (let below = 1n; below <= position; below++) expect(kept).toContain(`k${below}`)
        settled = position
        if (position === 10n) stop.abort()
      },
      close: async () => {
        log.push('source closed')
      },
    }
    return source as Source
  }
  const openProducer = (): Producer => {
    log.push('producer opened')
    let spent = false
    return {
      connect: async () => {},
      async send(records: readonly OutgoingRecord[]) {
        expect(spent).toBe(false)
        const error = await fail(++sends)
        if (error) {
          spent = true
          throw error
        }
        kept.push(...records.map(({ key }) => key).filter((key) => key !== 'erp/position'))
      },
      close: async () => {
        log.push('producer closed')
      },
    }
  }
  const run = () =>
    capture(
      {
        prefix: 'p',
        source: 'erp',
        openSource,
        openProducer,
        loadState: async () => STATE,
        openFences: async () => [],
        openPublished: () => ({ publishedRange: async () => ({}), published: async function* () {} }),
        loadDeadLetters: async () => {},
        loadEncoders: async () => new Map([['customer', () => Buffer.from('x')]]),
        observer: {
          published: () => {},
          unencodable: () => {},
          deadLetters: () => {},
          restarted: () => log.push('restarted'),
        },
        claim: (events) => events,
        log: () => {},
        onReady: () => {},
      },
      stop.signal,
    )
  return { run, kept, log, stop, settled: () => settled }
}

test('everything is published in order, and acknowledged only after it is kept', async () => {
  const { run, kept, settled } = world(() => null)
  await run()
  expect(kept).toEqual(Array.from({ length: 10 }, (_, index) => `k${index + 1}`))
  expect(settled()).toBe(10n)
})

test('after a failed send a new source and a new producer go on from the last settled position', async () => {
  const { run, kept, log } = world((sends) =>
    sends === 1 ? new TributaryError('publish-failed', 'the connection broke') : null,
  )
  await run()
  expect(new Set(kept)).toEqual(new Set(Array.from({ length: 10 }, (_, index) => `k${index + 1}`)))
  expect(log.filter((line) => line === 'source opened')).toHaveLength(2)
  expect(log.filter((line) => line === 'producer opened')).toHaveLength(2)
  expect(log.filter((line) => line.endsWith('closed'))).toHaveLength(4)
  expect(log).toContain('restarted')
})

test('a stream that ends by itself is opened again after a pause, with all before it settled', async () => {
  const { run, kept, log } = world(() => null, 4n)
  await run()
  expect(kept).toEqual(Array.from({ length: 10 }, (_, index) => `k${index + 1}`))
  expect(log.filter((line) => line === 'restarted')).toHaveLength(1)
})

test('asked to stop, it publishes and settles what was read, reads nothing more and closes everything', async () => {
  const held = Promise.withResolvers<null>()
  const sending = Promise.withResolvers<void>()
  const { run, kept, log, stop, settled } = world((sends) => {
    if (sends > 1) return null
    sending.resolve()
    return held.promise
  })
  const running = run()
  await sending.promise
  stop.abort()
  held.resolve(null)
  await running
  expect(kept.length).toBeGreaterThan(0)
  expect(kept).toHaveLength(Number(settled()))
  expect(log.filter((line) => line.endsWith('closed'))).toHaveLength(2)
  expect(log).not.toContain('restarted')
})

test('an error that will not pass ends capture, with everything closed', async () => {
  const { run, log } = world(() => new TributaryError('invariant-broken', 'two sends overlap'))
  await expect(run()).rejects.toMatchObject({ code: 'invariant-broken' })
  expect(log.filter((line) => line.endsWith('closed'))).toHaveLength(2)
})

test('what is stored and cannot be read stops capture: starting afresh could lose changes', () => {
  const stored = (entries: Record<string, string>) =>
    new Map(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text)]))
  for (const bad of [{ history: '{' }, { position: '{"position":-1,"mark":null}' }, { position: '"7"' }])
    expect(() => parseStored('p', 'erp', stored(bad as Record<string, string>))).toThrowError(TributaryError)
  expect(parseStored('p', 'erp', stored({ history: '{"epoch":1}', position: '{"position":"7","mark":"m"}' }))).toEqual({
    values: new Map([['history', { epoch: 1 }]]),
    position: { position: 7n, mark: 'm' },
  })
})
