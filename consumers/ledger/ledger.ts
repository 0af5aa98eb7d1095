import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import type { Log } from '../../connectors/kafka/client.ts'
import type { TributaryError } from '../../schemas/errors.ts'
import { speaksTls } from '../../schemas/tls.ts'
import { isPlain, type LedgerAddress, securityOf } from './address.ts'
import { ledgerError, plainToTls } from './ledger-error.ts'
import { type LedgerServerState, parseServerState } from './server-state.ts'
import { liveVersion, parseStored, type StoredEntry } from './stored-entry.ts'

/** One subscriber's keys of one partition: what one owner holds, and what one script works on. */
export interface Scope {
  readonly subscriber: string
  readonly entity: string
  readonly partition: number
}

export interface GateRequest {
  readonly key: string
  /** Packed by `packVersion`. */
  readonly version: string
  /** The asker knows that the destination may hold something else than the ledger says. */
  readonly uncertain: boolean
}

export interface SettleRequest {
  readonly key: string
  readonly version: string
  readonly result: 'applied' | 'newer' | 'dead' | 'failed'
  readonly full: boolean
  readonly state: 'live' | 'deleted'
  /** No lost request could take effect any more once the gate had let this one through. */
  readonly alone: boolean
  /** What the entry is to hold then, packed by `packApplied`; what failed, packed by `packFailures`, for `failed`. */
  readonly applied: string
}

export interface ScopeProgress {
  /** When something was last settled, in ms since 1970 by Redis's clock. */
  readonly settledAtMs: number
  /** The newest source commit among it, in microseconds since 1970. */
  readonly committedAt: bigint
}

/** A key that the subscriber has, or a dead letter could bring back, and the newest version of what was applied and the letter, packed by `packVersion`. */
export interface LiveKey {
  readonly key: string
  readonly version: string
}

export interface LedgerOptions extends LedgerAddress {
  /** The pipeline's name: the prefix of all keys. */
  readonly prefix: string
  /** After this time a request of the destination that got no answer can no longer take effect. */
  readonly lateRequestMs: number
  readonly comparesVersions: boolean
  /** How long the entry of a deleted key is kept. */
  readonly deletedKeepMs: number
  readonly log: Log
}

const COMMAND_TIMEOUT_MS = 5_000
const CONNECT_TIMEOUT_MS = 5_000
const RECONNECT_MS_MAX = 2_000
const RUN_ID_CHARS = 8
/** How many keys of all scopes Redis looks at before it answers others. */
const SCAN_COUNT = 1_000

const script = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8')

type Scripts = Record<'claim' | 'gate' | 'settle' | 'touch', (...args: (string | number)[]) => Promise<unknown>>

/**
 * What a subscriber last applied, per key, in Redis.
 *
 * A command that failed or timed out may still be carried out by a connection that was given up. So tokens live only as long as a
 * connection ({@link connection}): after a reconnect every scope is claimed again with a new token, and a late command of the old one is refused.
 */
export class Ledger {
  readonly #redis: Redis
  readonly #options: LedgerOptions
  #runId: string | null = null
  #connection = 0
  /** Why the connection failed last: a command then only says that there is none. */
  #reason: Error | null = null

  constructor(options: LedgerOptions) {
    this.#options = options
    this.#redis = new Redis(options.url, {
      ...securityOf(options),
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      enableReadyCheck: true,
      retryStrategy: (times) => Math.min(50 * times, RECONNECT_MS_MAX),
    })
    for (const [name, numberOfKeys] of [
      ['claim', 1],
      ['gate', undefined],
      ['settle', undefined],
      ['touch', 2],
    ] as const)
      this.#redis.defineCommand(name, { lua: script(name), ...(numberOfKeys === undefined ? {} : { numberOfKeys }) })
    this.#redis.on('ready', () => {
      this.#reason = null
      void this.#identify()
    })
    this.#redis.on('close', () => {
      this.#runId = null
    })
    // Each failed command says so itself; without a listener the library prints to stderr.
    this.#redis.on('error', (error) => {
      this.#reason = error
      options.log('debug', 'redis', { error: error.message })
    })
  }

  /** Grows with each connection; a token is good for the connection it was claimed on. 0 before the first. */
  get connection(): number {
    return this.#connection
  }

  get ready(): boolean {
    return this.#runId !== null
  }

  /**
   * Connects, and says when Redis is set up so that it may drop entries.
   * @throws TributaryError `ledger-unreachable`, `ledger-unsuitable`
   */
  async connect(): Promise<void> {
    try {
      await this.#redis.connect()
      const [, policy] = (await this.#redis.config('GET', 'maxmemory-policy').catch(() => [])) as string[]
      if (policy !== undefined && policy !== 'noeviction')
        this.#options.log(
          'warn',
          `Redis may evict ledger entries, and changes are then sent again: set maxmemory-policy to noeviction (it is ${policy})`,
        )
      if (this.#runId === null) await this.#identify()
      if (this.#runId === null) throw this.#reason ?? new Error('it did not say its run id')
    } catch (cause) {
      const failure = this.#unreachable(cause)
      const { host = '', port = 0 } = this.#redis.options
      if (failure.fate === 'retry' && isPlain(this.#options) && (await speaksTls(host, port)))
        throw plainToTls(cause, this.#address)
      throw failure
    }
  }

  /** Makes `token` the owner of a scope; every other one is refused from then on. */
  async claim(scope: Scope, token: string): Promise<void> {
    await this.#call('claim', this.#ownerKey(scope), token, this.#run())
  }

  /**
   * Asks for each key whether its version is still wanted, and marks those that are as in flight under this token.
   * @returns one answer a request (`s` or `e`, or what `parseAnswer` reads), or `fenced` when the scope has another owner
   */
  async gate(scope: Scope, token: string, requests: readonly GateRequest[]): Promise<'fenced' | readonly string[]> {
    const keys = [this.#ownerKey(scope), this.#failingKey(scope)]
    const args = [token, this.#run(), String(this.#options.lateRequestMs)]
    for (const { key, version, uncertain } of requests) {
      keys.push(this.#entryKey(scope, key))
      args.push(key, version, uncertain ? 'u' : 'c')
    }
    const answers = (await this.#call('gate', keys.length, ...keys, ...args)) as string[]
    return answers[0] === 'fenced' ? 'fenced' : answers.slice(1)
  }

  /**
   * Records what became of requests. Apply first, record after: recording first would lose the change in a crash.
   * @param committedAt the newest commit among them, microseconds since 1970; null for none
   */
  async settle(
    scope: Scope,
    token: string,
    requests: readonly SettleRequest[],
    committedAt: bigint | null,
  ): Promise<'fenced' | readonly ('settled' | 'again')[]> {
    const keys = [this.#ownerKey(scope), `${this.#prefix(scope)}:progress`, this.#failingKey(scope)]
    const compares = this.#options.comparesVersions ? '1' : '0'
    const args = [token, this.#run(), compares, String(this.#options.deletedKeepMs), committedAt?.toString() ?? '']
    for (const { key, version, result, full, state, alone, applied } of requests) {
      keys.push(this.#entryKey(scope, key))
      const how = (full ? '1' : '0') + (state === 'live' ? 'l' : 'd') + (alone ? '1' : '0')
      args.push(key, version, RESULTS[result], how, applied)
    }
    const answers = (await this.#call('settle', keys.length, ...keys, ...args)) as ('fenced' | 'settled' | 'again')[]
    return answers[0] === 'fenced' ? 'fenced' : (answers.slice(1) as ('settled' | 'again')[])
  }

  /** Whether the token is the scope's, now. */
  async owns(scope: Scope, token: string): Promise<boolean> {
    try {
      return (await this.#redis.get(this.#ownerKey(scope)))?.startsWith(token) ?? false
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /** A person wants the letter of a key no more. The next success of the key clears what is left of it. */
  async letterDiscarded(scope: Scope, key: string): Promise<void> {
    try {
      await this.#redis.hdel(this.#failingKey(scope), key)
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /** Whether keys of an entity fail, or have dead letters. */
  async hasFailing(subscriber: string, entity: string, partitions: number): Promise<boolean> {
    const scopes = Array.from({ length: partitions }, (_, partition) => ({ subscriber, entity, partition }))
    try {
      const counts = await Promise.all(scopes.map((scope) => this.#redis.hlen(this.#failingKey(scope))))
      return counts.some((count) => count > 0)
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /** What is known of a key, without asking for it: nothing is marked. null when there is no entry. For a person to look at. */
  async peek(scope: Scope, key: string): Promise<StoredEntry | null> {
    const run = this.#run()
    try {
      const [text, failing, nowMs] = await Promise.all([
        this.#redis.get(this.#entryKey(scope, key)),
        this.#redis.hget(this.#failingKey(scope), key),
        this.time(),
      ])
      return text === null ? null : parseStored(text, failing, run, nowMs)
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /** When something was last settled in a scope; null when nothing was. */
  async progress(scope: Scope): Promise<ScopeProgress | null> {
    try {
      const text = await this.#redis.get(`${this.#prefix(scope)}:progress`)
      if (text === null) return null
      return { settledAtMs: Number(text.slice(0, 14)), committedAt: BigInt(text.slice(14)) }
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /**
   * When the deletes of a scope were last known to be seen ({@link touch}), ms since 1970 by Redis's clock, and what that clock says now. null
   * when it was never noted.
   */
  async deletesSeen(scope: Scope): Promise<{ readonly atMs: number | null; readonly nowMs: number }> {
    try {
      const [text, nowMs] = await Promise.all([this.#redis.get(this.#seenKey(scope)), this.time()])
      return { atMs: text === null ? null : Number(text), nowMs }
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /**
   * Notes that all deletes of a scope up to `agoMs` ago were seen, or need not be: whoever reads on from there within the time that the topic
   * keeps deletes misses none. Never sets the note back.
   */
  async touch(scope: Scope, token: string, agoMs: number): Promise<'ok' | 'fenced'> {
    return (await this.#call('touch', this.#ownerKey(scope), this.#seenKey(scope), token, Math.ceil(agoMs))) as
      | 'ok'
      | 'fenced'
  }

  /**
   * The keys of a scope that the subscriber has, or may get from a dead letter, some at a time: all that were there from beginning to end, and perhaps others; one may come
   * more than once. Goes through all of Redis.
   */
  async *liveKeys(scope: Scope): AsyncGenerator<readonly LiveKey[], void, undefined> {
    const prefix = this.#entryKey(scope, '')
    const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
    let cursor = '0'
    do {
      try {
        const [next, names] = await this.#redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)
        cursor = next
        if (names.length === 0) continue
        const keys = names.map((name) => name.slice(prefix.length))
        const [entries, failing] = await Promise.all([
          this.#redis.mget(names),
          this.#redis.hmget(this.#failingKey(scope), ...keys),
        ])
        const live = keys.flatMap((key, index) => {
          const version = liveVersion(entries[index] ?? '', failing[index] ?? null)
          return version === null ? [] : [{ key, version }]
        })
        if (live.length > 0) yield live
      } catch (cause) {
        throw this.#unreachable(cause)
      }
    } while (cursor !== '0')
  }

  /**
   * What the server says of itself.
   * @throws TributaryError `ledger-unreachable`, `ledger-unsuitable`
   */
  async server(): Promise<LedgerServerState> {
    try {
      const state = parseServerState(await this.#redis.info(), Date.now())
      if (state === null) throw new Error('its INFO says nothing')
      return state
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  /** What time it is by Redis's clock, ms since 1970. */
  async time(): Promise<number> {
    try {
      const [seconds, micros] = (await this.#redis.time()) as unknown as [string, string]
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
    } catch (cause) {
      throw this.#unreachable(cause)
    }
  }

  close(): void {
    this.#redis.disconnect()
  }

  async #identify(): Promise<void> {
    try {
      const info = await this.#redis.info('server')
      const runId = /^run_id:([0-9a-f]{40})/m.exec(info)?.[1]
      if (runId === undefined) throw new Error('INFO server has no run_id')
      if (this.#runId !== null) return
      this.#runId = runId.slice(0, RUN_ID_CHARS)
      this.#connection++
    } catch (error) {
      this.#reason = error as Error
      this.#options.log('debug', 'Redis did not say its run id; connecting again', { error: (error as Error).message })
      this.#redis.disconnect(true)
    }
  }

  async #call(command: keyof Scripts, ...args: (string | number)[]): Promise<unknown> {
    const connection = this.#connection
    try {
      return await (this.#redis as unknown as Scripts)[command](...args)
    } catch (cause) {
      // The command may still be carried out. On a new connection its token counts for nothing.
      if (connection === this.#connection && this.#runId !== null) {
        this.#runId = null
        this.#redis.disconnect(true)
      }
      throw this.#unreachable(cause)
    }
  }

  #run(): string {
    if (this.#runId === null) throw this.#unreachable(new Error('not connected'))
    return this.#runId
  }

  #unreachable(cause: unknown): TributaryError {
    return ledgerError(cause, this.#reason, this.#address)
  }

  get #address(): string {
    const { host, port } = this.#redis.options
    return `${host}:${port}`
  }

  #prefix({ subscriber, entity, partition }: Scope): string {
    return `tributary:${this.#options.prefix}:{${subscriber}/${entity}/${partition}}`
  }

  #ownerKey(scope: Scope): string {
    return `${this.#prefix(scope)}:owner`
  }

  #failingKey(scope: Scope): string {
    return `${this.#prefix(scope)}:failing`
  }

  #seenKey(scope: Scope): string {
    return `${this.#prefix(scope)}:deletes-seen`
  }

  #entryKey(scope: Scope, key: string): string {
    return `${this.#prefix(scope)}:key:${key}`
  }
}

const RESULTS = { applied: 'a', newer: 'n', dead: 'r', failed: 'f' } as const
