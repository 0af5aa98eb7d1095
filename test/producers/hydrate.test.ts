import { expect, test } from 'vitest'
import type { HydratedRow, Source, SourceEvent } from '../../connectors/source.ts'
import { type HydratedEvent, hydrate } from '../../producers/hydrate.ts'
import { TributaryError, UnencodableValue } from '../../schemas/errors.ts'

const provenance = {
  system: 'postgres',
  instance: 'erp',
  object: 'public.customers',
  position: '0/1',
  transaction: '7',
  committedAt: 1n,
  capturedAt: 2n,
}

function change(key: string, missing: readonly string[]): SourceEvent {
  return {
    kind: 'change',
    missing,
    change: {
      entity: 'customer',
      key,
      op: 'update',
      version: { epoch: 1n, position: 1n, ordinal: 0 },
      changed: null,
      after: { id: key },
      source: provenance,
      origin: null,
      claims: {},
    },
  }
}

type Read = (keys: readonly string[]) => ReadonlyMap<string, HydratedRow>

function sourceThat(read: Read): Source & { reads: number } {
  const source = {
    reads: 0,
    async hydrate(_entity: string, keys: readonly string[]) {
      source.reads++
      return read(keys)
    },
  }
  return source as unknown as Source & { reads: number }
}

const keysOf = (events: readonly HydratedEvent[]) =>
  events.map((event) => (event.kind === 'change' ? event.change.key : event.kind))

test('a batch without gaps is passed on as it is, and nothing is read', async () => {
  const source = sourceThat(() => new Map())
  const events = [change('1', []), { kind: 'progress', position: 5n } as const]
  expect(await hydrate(source, events)).toBe(events)
  expect(source.reads).toBe(0)
})

test('changes that miss the same fields are completed with one read, in their order', async () => {
  const source = sourceThat((keys) => new Map(keys.map((key) => [key, { note: `note ${key}` }])))
  const progress = { kind: 'progress', position: 5n } as const
  const whole = await hydrate(source, [change('1', ['note']), progress, change('2', []), change('3', ['note'])])
  expect(keysOf(whole)).toEqual(['1', 'progress', '2', '3'])
  expect(source.reads).toBe(1)
  const first = whole[0]!
  expect(first.kind === 'change' && first.change.op !== 'delete' && first.change.after).toEqual({
    id: '1',
    note: 'note 1',
  })
  expect(first.kind === 'change' && first.missing).toEqual([])
})

test('a change whose row is gone is said to be gone, in its place: its delete follows in the stream', async () => {
  const source = sourceThat((keys) => new Map(keys.filter((key) => key !== '1').map((key) => [key, { note: 'x' }])))
  expect(keysOf(await hydrate(source, [change('1', ['note']), change('2', ['note'])]))).toEqual(['gone', '2'])
})

test('a row that cannot be read becomes a dead letter, and the others go on', async () => {
  const source = sourceThat((keys) => {
    if (keys.includes('2')) throw new TributaryError('value-unencodable', 'the field note of customer is too large')
    return new Map(keys.map((key) => [key, { note: 'x' }]))
  })
  const whole = await hydrate(source, [change('1', ['note']), change('2', ['note']), change('3', ['note'])])
  expect(whole.map(({ kind }) => kind)).toEqual(['change', 'unencodable', 'change'])
})

test('a dead letter names the field that could not be read, where the source says which', async () => {
  const source = sourceThat(() => {
    throw new UnencodableValue('credit', 'it is not a finite number', 'field credit of entity customer: …')
  })
  expect(await hydrate(source, [change('1', ['credit', 'note'])])).toMatchObject([
    { kind: 'unencodable', key: '1', field: 'credit', reason: 'it is not a finite number' },
  ])
})

test('a source that is away is not taken for a row that is gone', async () => {
  const source = sourceThat(() => {
    throw new TributaryError('source-unreachable', 'away')
  })
  await expect(hydrate(source, [change('1', ['note'])])).rejects.toMatchObject({ code: 'source-unreachable' })
})
