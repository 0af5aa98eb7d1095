import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { BatchRefused, type Destination, type Outcome, type Patch } from '../../../connectors/destination.ts'
import { createWarehouse, type WarehouseOptions } from '../../../connectors/warehouse/destination.ts'
import { fullPatch, partialPatch, versionAt } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, untilWaiting, type WarehouseDatabase } from './warehouse-database.ts'

const MAPPING = mappingOf('orders', { a: 'string', b: 'int32' }, 'soft')
const SHORT_TIMEOUT_MS = 3_000
const UNTIL = { timeout: 45_000, interval: 20 }
const LOCKED_KEY = 'locked'
const COMMIT_LOCK = 4711

let database: WarehouseDatabase
const made: Destination[] = []
let keys = 0
let key = ''

function warehouse(more: Partial<WarehouseOptions> = {}): Destination {
  const destination = createWarehouse({
    name: 'faults',
    url: database.url,
    schema: 'faults',
    mappings: [MAPPING],
    connections: 2,
    ...more,
  })
  made.push(destination)
  return destination
}

beforeAll(async () => {
  database = await createDatabase('faults')
  const { sql } = database
  await warehouse().provision()
  // Rules of the destination's owner: an SQLSTATE on demand, a unique column, and a COMMIT that can be held up.
  await sql.unsafe(`
    CREATE FUNCTION faults.raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.a LIKE 'raise %' THEN
        RAISE EXCEPTION 'secret %', NEW.a USING ERRCODE = split_part(NEW.a, ' ', 2);
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER raise BEFORE INSERT OR UPDATE ON faults.orders FOR EACH ROW EXECUTE FUNCTION faults.raise();
    CREATE UNIQUE INDEX orders_a_key ON faults.orders (a) WHERE a LIKE 'unique %';
    CREATE FUNCTION faults.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.a = 'hold the commit' THEN PERFORM pg_advisory_xact_lock(${COMMIT_LOCK}); END IF;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER hold AFTER INSERT OR UPDATE ON faults.orders
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION faults.hold();
    INSERT INTO faults.orders (tributary_key, tributary_version, a) VALUES ('${LOCKED_KEY}', '\\x00', 'first');`)
})
beforeEach(() => {
  key = `key-${++keys}`
})
afterEach(async () => {
  await Promise.all(made.splice(0).map((destination) => destination.close()))
})
afterAll(async () => {
  await database.drop()
})

function apply(destination: Destination, ...patches: readonly Patch[]): Promise<readonly Outcome[]> {
  return destination.apply(MAPPING, patches, new AbortController().signal)
}

async function refusal(destination: Destination, ...patches: readonly Patch[]): Promise<BatchRefused> {
  const error = await apply(destination, ...patches).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(BatchRefused)
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret')
  return error as BatchRefused
}

async function storedText(name: string): Promise<string | undefined> {
  const [row] = await database.sql`SELECT a FROM faults.orders WHERE tributary_key = ${name}`
  return row?.a
}

/** Runs `during` while another session holds the row that {@link LOCKED_KEY} names. */
async function whileRowLocked<T>(during: () => Promise<T>): Promise<T> {
  return (await database.sql.begin(async (sql) => {
    await sql`SELECT 1 FROM faults.orders WHERE tributary_key = ${LOCKED_KEY} FOR UPDATE`
    return await during()
  })) as T
}

async function whileCommitHeld<T>(during: () => Promise<T>): Promise<T> {
  return (await database.sql.begin(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${COMMIT_LOCK})`
    return await during()
  })) as T
}

async function killBackends(name: string): Promise<void> {
  await database.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ${`tributary/${name}`}`
}

describe('a batch with a bad record is refused whole', () => {
  it.each([
    ['22003', { b: 99_999_999_999n }],
    ['23505', { a: 'unique secret' }],
    ['P0001', { a: 'raise P0001' }],
    ['23514', { a: 'raise 23514' }],
  ] as const)('%s', async (code, fields) => {
    const destination = warehouse()
    await apply(destination, fullPatch(`${key}-other`, 1, { a: 'unique secret', b: 0n }))
    expect(
      (await refusal(destination, fullPatch(key, 1, { a: 'fine', b: 1n }), fullPatch(`${key}-bad`, 1, fields))).code,
    ).toBe(code)
    expect(await storedText(key)).toBeUndefined()
    expect(await apply(destination, fullPatch(key, 1, { a: 'fine', b: 1n }))).toEqual([{ kind: 'applied' }])
    await database.sql`DELETE FROM faults.orders WHERE a = 'unique secret'`
  })

  it('a key that is too long for an index', async () => {
    // Text that PostgreSQL's compression cannot shorten.
    const long = Array.from({ length: 60 }, (_, at) => createHash('sha256').update(String(at)).digest('hex')).join('')
    expect((await refusal(warehouse(), fullPatch(long, 1, {}))).code).toBe('54000')
  })

  it('the same key twice, and more patches than it takes', async () => {
    expect((await refusal(warehouse(), fullPatch(key, 1, {}), fullPatch(key, 2, {}))).code).toBe('key-repeated')
    const many = Array.from({ length: 1001 }, (_, at) => fullPatch(`${key}-${at}`, 1, {}))
    expect((await refusal(warehouse(), ...many)).code).toBe('batch-too-large')
  })
})

it('a NUL rejects its own record only, and the others are applied', async () => {
  const outcomes = await apply(warehouse(), fullPatch(key, 1, { a: 'fine' }), fullPatch(`${key}-bad`, 1, { a: 'x\0' }))
  expect(outcomes).toMatchObject([{ kind: 'applied' }, { kind: 'rejected', code: 'text-nul' }])
})

it.each(['40001', '40P01'])('%s is a conflict for every patch of the batch', async (state) => {
  const outcomes = await apply(warehouse(), fullPatch(key, 1, { a: `raise ${state}` }), fullPatch(`${key}-b`, 1, {}))
  expect(outcomes).toEqual([{ kind: 'conflict' }, { kind: 'conflict' }])
})

it('a lock that is not given in time is unavailable, and changes nothing', async () => {
  const destination = warehouse({ statementTimeoutMs: SHORT_TIMEOUT_MS })
  await whileRowLocked(async () => {
    const [outcome] = await apply(destination, partialPatch(LOCKED_KEY, 1, { a: 'late' }))
    expect(outcome).toMatchObject({ kind: 'unavailable', error: { code: 'destination-unreachable' } })
  })
  expect(await storedText(LOCKED_KEY)).toBe('first')
  expect(await apply(destination, fullPatch(key, 1, {}))).toEqual([{ kind: 'applied' }])
})

it('a connection that breaks before COMMIT is unavailable, and the next batch has a new one', async () => {
  const destination = warehouse({ name: 'broken' })
  await whileRowLocked(async () => {
    const waiting = apply(destination, fullPatch(key, 1, { a: 'x' }), partialPatch(LOCKED_KEY, 1, { a: 'late' }))
    await untilWaiting(database, 'tributary/broken')
    await killBackends('broken')
    expect((await waiting).map(({ kind }) => kind)).toEqual(['unavailable', 'unavailable'])
  })
  expect(await storedText(LOCKED_KEY)).toBe('first')
  expect(await storedText(key)).toBeUndefined()
  expect(await apply(destination, fullPatch(key, 1, {}))).toEqual([{ kind: 'applied' }])
})

it('a connection that breaks while it is idle is not used again', async () => {
  const destination = warehouse({ name: 'idle' })
  await apply(destination, fullPatch(key, 1, {}))
  await killBackends('idle')
  await vi.waitFor(async () => {
    expect(await apply(destination, fullPatch(key, 2, {}))).toEqual([{ kind: 'applied' }])
  }, UNTIL)
})

it('a connection that breaks while it commits is unknown', async () => {
  const destination = warehouse({ name: 'committing' })
  await whileCommitHeld(async () => {
    const waiting = apply(destination, fullPatch(key, 1, { a: 'hold the commit' }))
    await untilWaiting(database, 'tributary/committing')
    await killBackends('committing')
    expect((await waiting).map(({ kind }) => kind)).toEqual(['unknown'])
  })
})

it('an ERROR in answer to COMMIT is not unknown: it was rolled back', async () => {
  const destination = warehouse({ statementTimeoutMs: SHORT_TIMEOUT_MS })
  await whileCommitHeld(async () => {
    const outcomes = await apply(destination, fullPatch(key, 1, { a: 'hold the commit' }))
    expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable'])
  })
  expect(await storedText(key)).toBeUndefined()
})

it('a batch that is called off before COMMIT is unavailable at once, and takes no effect later', async () => {
  const destination = warehouse({ name: 'aborted' })
  const abort = new AbortController()
  await whileRowLocked(async () => {
    const patch = partialPatch(LOCKED_KEY, 1, { a: 'late' })
    const waiting = destination.apply(MAPPING, [patch], abort.signal)
    await untilWaiting(database, 'tributary/aborted')
    abort.abort()
    expect((await waiting).map(({ kind }) => kind)).toEqual(['unavailable'])
  })
  await vi.waitFor(async () => {
    const left = await database.sql`SELECT 1 FROM pg_stat_activity WHERE application_name = 'tributary/aborted'`
    expect(left.length).toBe(0)
  }, UNTIL)
  expect(await storedText(LOCKED_KEY)).toBe('first')
})

it('a batch that is called off while it commits is unknown', async () => {
  const destination = warehouse({ name: 'aborted-late' })
  const abort = new AbortController()
  await whileCommitHeld(async () => {
    const waiting = destination.apply(MAPPING, [fullPatch(key, 1, { a: 'hold the commit' })], abort.signal)
    await untilWaiting(database, 'tributary/aborted-late')
    abort.abort()
    expect((await waiting).map(({ kind }) => kind)).toEqual(['unknown'])
  })
})

it('a batch that is called off while it waits for a connection is unavailable, and the place is not lost', async () => {
  const destination = warehouse({ name: 'queue', connections: 1 })
  const abort = new AbortController()
  const first = await whileRowLocked(async () => {
    const holding = apply(destination, partialPatch(LOCKED_KEY, 0, { b: 1n }))
    await untilWaiting(database, 'tributary/queue')
    const queued = destination.apply(MAPPING, [fullPatch(key, 1, {})], abort.signal)
    const behind = apply(destination, fullPatch(`${key}-behind`, 1, {}))
    abort.abort()
    expect((await queued).map(({ kind }) => kind)).toEqual(['unavailable'])
    return { holding, behind }
  })
  expect(await first.holding).toEqual([{ kind: 'applied' }])
  expect(await first.behind).toEqual([{ kind: 'applied' }])
})

it('a server that is not there is unavailable, for every patch', async () => {
  const destination = warehouse({ url: 'postgres://nobody@127.0.0.1:1/none' })
  expect(await apply(destination, fullPatch(key, 1, {}), fullPatch(`${key}-b`, 1, {}))).toMatchObject([
    { kind: 'unavailable', error: { code: 'destination-unreachable' } },
    { kind: 'unavailable' },
  ])
  await expect(destination.check()).rejects.toMatchObject({ code: 'destination-unreachable' })
})

it('a server that accepts and closes is asked once a batch, not in a loop', async () => {
  let connections = 0
  const server = net.createServer((socket) => {
    connections++
    socket.on('error', () => undefined)
    socket.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const outcomes = await apply(warehouse({ url: `postgres://nobody@127.0.0.1:${port}/none` }), fullPatch(key, 1, {}))
  expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable'])
  expect(connections).toBe(1)
  server.close()
})

it('a server that accepts and says nothing is unavailable within the deadline', async () => {
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => sockets.push(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const url = `postgres://nobody@127.0.0.1:${port}/none`
  const outcomes = await apply(warehouse({ url, statementTimeoutMs: 100 }), fullPatch(key, 1, {}))
  expect(outcomes.map(({ kind }) => kind)).toEqual(['unavailable'])
  for (const socket of sockets) socket.destroy()
  server.close()
})

it('a table that is not there is unavailable and says that the destination is unsuitable', async () => {
  const destination = warehouse({ schema: 'nowhere' })
  expect(await apply(destination, fullPatch(key, 1, {}))).toMatchObject([
    { kind: 'unavailable', error: { code: 'destination-unsuitable' } },
  ])
})

it('patches for a target that is not mapped are a defect, and nobody’s fault', async () => {
  const other = mappingOf('other', {})
  const signal = new AbortController().signal
  expect(await warehouse().apply(other, [fullPatch(key, 1, {})], signal)).toMatchObject([
    { kind: 'unavailable', error: { code: 'invariant-broken' } },
  ])
})

it('a closed warehouse answers unavailable', async () => {
  const destination = warehouse()
  await destination.close()
  await destination.close()
  expect((await apply(destination, fullPatch(key, 1, {}))).map(({ kind }) => kind)).toEqual(['unavailable'])
})

it('is seen under its name, in UTC, with its time-outs', async () => {
  const destination = warehouse({ name: 'settings', statementTimeoutMs: 7_000 })
  await database.sql.unsafe(`CREATE TABLE faults.seen (name text, setting text);
    CREATE FUNCTION faults.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO faults.seen SELECT s.name, s.setting FROM pg_settings AS s; RETURN NEW; END $$;
    CREATE TRIGGER see BEFORE INSERT ON faults.orders FOR EACH ROW WHEN (NEW.a = 'see') EXECUTE FUNCTION faults.see();`)
  await apply(destination, { ...fullPatch(key, 1, { a: 'see' }), version: versionAt(1) })
  const rows = await database.sql`SELECT name, setting FROM faults.seen`
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toMatchObject({
    application_name: 'tributary/settings',
    TimeZone: 'UTC',
    statement_timeout: '7000',
    lock_timeout: '3500',
    idle_in_transaction_session_timeout: '7000',
    synchronous_commit: 'on',
    transaction_isolation: 'read committed',
  })
})
