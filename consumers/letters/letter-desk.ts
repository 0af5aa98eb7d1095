import type { Log } from '../../connectors/kafka/client.ts'
import type { TopicTail } from '../../connectors/kafka/tail-topic.ts'
import { pause } from '../../connectors/pause.ts'
import { type DeadLetterHead, parseDeadLetter } from '../../schemas/dead-letter.ts'
import { fateOf } from '../../schemas/errors.ts'
import { recordVersion } from '../../schemas/record-head.ts'
import {
  type CommandResult,
  type DiscardCommand,
  formatMessage,
  type ReplayCommand,
  type ResyncCommand,
  type SubscriberCommand,
} from '../../schemas/subscriber-command.ts'
import { commandsTopic } from '../../schemas/topics.ts'
import type { Assignment } from '../assignment.ts'
import type { Engine } from '../engine.ts'
import type { Settled } from '../lanes/lanes.ts'
import { NO_TRIALS } from '../lanes/trials.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { COMMANDS_MAX, OpenCommands } from './commands.ts'
import { type DeadLetterWriter, discardedRecord } from './dead-letter.ts'
import { LETTERS_MAX, type OpenLetter, OpenLetters } from './open-letters.ts'

const LOOK_EVERY_MS = 1_000
const AWAY_MS = 5_000
/** The most letters that are on their way through their lanes at once, and the most commands. */
const UNDER_WAY_MAX = 500

export interface LetterDeskOptions {
  readonly prefix: string
  readonly subscriber: string
  readonly engine: Engine
  readonly deadLetters: DeadLetterWriter
  readonly ledger: Pick<Ledger, 'letterDiscarded'>
  readonly openLettersTail: () => Promise<TopicTail>
  readonly openCommandsTail: () => Promise<TopicTail>
  /** Sends one key, or all of a partition, in full again. @returns how many keys that were */
  readonly resync: (
    assignment: Assignment,
    key: string | null,
    onProgress: (done: number, of: number) => void,
  ) => Promise<number>
  readonly log: Log
}

/**
 * Brings dead letters back: those that are tried again by themselves, and those that a person replays. Each goes through its key's lane and
 * the gate as any record does, by the owner of its partition, so it can never put back an old value. Carries out the other commands of the
 * subscriber as well. Follows two small topics; what is under way is bounded.
 */
export class LetterDesk {
  readonly #options: LetterDeskOptions
  #letters = new OpenLetters()
  #commands = new OpenCommands()
  /** Letters in their lanes, by record key, and for which assignment. */
  readonly #inLanes = new Map<string, Assignment>()
  /** Commands that are being carried out, by id. By themselves, so that letters that wait for a subscriber do not keep them from it. */
  readonly #carriedOut = new Map<string, Assignment>()
  /** What the work that nobody waits for has thrown. */
  #failure: unknown = null
  #told = 0

  constructor(options: LetterDeskOptions) {
    this.#options = options
  }

  /** A record of the dead-letter topic is about to be written by this process. */
  outdate(recordKey: string): void {
    this.#letters.outdate(recordKey)
  }

  /** Works until `signal` aborts. While the topics cannot be read nothing is brought back, and delivery goes on. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const tails: TopicTail[] = []
      try {
        await this.#follow(tails, signal)
      } catch (error) {
        if (fateOf(error) !== 'retry') throw error
        const reason = (error as Error).message
        this.#options.log('warn', `dead letters of ${this.#options.subscriber} are not looked at, trying again`, {
          reason,
        })
        await pause(AWAY_MS, signal)
      } finally {
        for (const tail of tails) await tail.close()
      }
    }
  }

  async #follow(tails: TopicTail[], signal: AbortSignal): Promise<void> {
    const { openLettersTail, openCommandsTail, log, subscriber } = this.#options
    const letters = await openLettersTail()
    tails.push(letters)
    const commands = await openCommandsTail()
    tails.push(commands)
    this.#letters = new OpenLetters()
    this.#commands = new OpenCommands()
    while (!signal.aborted) {
      await letters.poll((record) => this.#letters.read(record))
      await commands.poll((record) => {
        const unreadable = this.#commands.read(record)
        if (unreadable !== null) log('warn', `a command of ${subscriber} is left out`, { reason: unreadable })
      })
      this.#tellUntracked()
      await this.#look(letters, signal)
      if (this.#failure !== null) throw this.#failure
      // Read from the beginning again: what was left out has room now.
      const { untracked, size } = this.#letters
      if (untracked > 0 && size < LETTERS_MAX / 2) return
      if (this.#commands.leftOut > 0 && this.#commands.size < COMMANDS_MAX / 2) return
      await pause(LOOK_EVERY_MS, signal)
    }
  }

  async #look(letters: TopicTail, signal: AbortSignal): Promise<void> {
    const { engine } = this.#options
    for (const underWay of [this.#inLanes, this.#carriedOut])
      for (const [name, assignment] of underWay) if (!assignment.active) underWay.delete(name)
    const isOurs = (entity: string, partition: number) => engine.assignmentOf(entity, partition) !== undefined
    for (const command of this.#commands.ours(isOurs, UNDER_WAY_MAX)) {
      if (this.#carriedOut.size >= UNDER_WAY_MAX) break
      if (!this.#carriedOut.has(command.id)) await this.#carryOut(command, letters, signal)
    }
    for (const letter of this.#letters.due(Date.now(), isOurs, UNDER_WAY_MAX)) {
      if (this.#inLanes.size >= UNDER_WAY_MAX) break
      if (!this.#inLanes.has(letter.recordKey)) await this.#tryAgain(letter, letters)
    }
  }

  async #carryOut(command: SubscriberCommand, letters: TopicTail, signal: AbortSignal): Promise<void> {
    const assignment = this.#options.engine.assignmentOf(command.entity, command.partition)
    if (assignment === undefined) return
    this.#carriedOut.set(command.id, assignment)
    if (command.kind === 'resync') {
      void this.#resync(command, assignment, signal)
      return
    }
    const letter = this.#meant(command)
    if (letter === undefined) await this.#answer(command, assignment, 'gone')
    // It is on its way by itself already: the command's turn comes when it is known what becomes of it.
    else if (this.#inLanes.has(letter.recordKey)) this.#carriedOut.delete(command.id)
    else if (command.kind === 'replay') await this.#replay(command, letter, assignment, letters)
    else await this.#discard(command, letter, assignment)
  }

  async #replay(command: ReplayCommand, letter: OpenLetter, assignment: Assignment, letters: TopicTail): Promise<void> {
    const answer = (how: Settled, code: string | null) => {
      this.#inLanes.delete(letter.recordKey)
      void this.#answer(command, assignment, how === 'given-up' ? 'failed' : 'applied', code)
    }
    const fault = await this.#bringBack(letter, assignment, letters, (head) => head.replays + 1, answer)
    if (fault !== null) await this.#answer(command, assignment, fault === 'gone' ? 'gone' : 'failed', fault)
  }

  async #tryAgain(letter: OpenLetter, letters: TopicTail): Promise<void> {
    const assignment = this.#options.engine.assignmentOf(letter.entity, letter.entityPartition)
    if (assignment === undefined) return
    const done = () => this.#inLanes.delete(letter.recordKey)
    await this.#bringBack(letter, assignment, letters, (head) => head.replays, done)
  }

  /** Puts a letter's record into its lane. @returns why not; null when it is on its way */
  async #bringBack(
    letter: OpenLetter,
    assignment: Assignment,
    letters: TopicTail,
    replays: (head: DeadLetterHead) => number,
    onSettled: (how: Settled, code: string | null) => void,
  ): Promise<string | null> {
    const record = await letters.at(letter.place.partition, letter.place.offset)
    const head = record && parseDeadLetter(record.key, record.value, record.headers)
    // What the tail brings next says what became of it.
    if (record === undefined || head === undefined) return 'gone'
    const value = record.value === null || record.value.length === 0 ? null : record.value
    const version = head.hasReadableKey ? recordVersion(value, record.headers) : undefined
    if (version === undefined) return 'record-corrupt'
    this.#inLanes.set(letter.recordKey, assignment)
    const isRetry = head.state === 'retrying' && replays(head) === head.replays
    const failed = { attempts: head.attempts, firstFailedAtMs: Date.parse(head.firstFailedAt ?? '') || Date.now() }
    this.#options.engine.offer(assignment, {
      key: head.key,
      version,
      value,
      headers: record.headers,
      offset: head.offset ?? 0n,
      tickets: [],
      trials: isRetry ? { ...NO_TRIALS, ...failed } : NO_TRIALS,
      replays: replays(head),
      onSettled: [onSettled],
    })
    return null
  }

  async #discard(command: DiscardCommand, letter: OpenLetter, assignment: Assignment): Promise<void> {
    const { deadLetters, ledger, prefix, subscriber } = this.#options
    await deadLetters.write([discardedRecord(prefix, subscriber, letter.recordKey, command.reason)])
    await ledger.letterDiscarded(assignment.scope, command.key)
    await this.#answer(command, assignment, 'discarded')
  }

  async #resync(command: ResyncCommand, assignment: Assignment, signal: AbortSignal): Promise<void> {
    const { resync, log, subscriber } = this.#options
    try {
      const tell = (done: number, of: number) =>
        void this.#write(formatMessage({ kind: 'progress', id: command.id, done, of })).catch(() => {})
      const keys = await resync(assignment, command.key, tell)
      // Taken away in its midst, it begins anew with the next owner.
      if (assignment.active) await this.#answer(command, assignment, 'resynced', null, keys)
    } catch (error) {
      if (signal.aborted) return
      if (fateOf(error) !== 'retry') this.#failure = error
      log('warn', `a resync of ${subscriber} begins again`, { reason: (error as Error).message })
      await pause(AWAY_MS, signal)
    } finally {
      this.#carriedOut.delete(command.id)
    }
  }

  /** The letter that a command means, if it still is the newest of its key. */
  #meant({ entity, key, letter: { partition, offset } }: ReplayCommand | DiscardCommand): OpenLetter | undefined {
    const letter = this.#letters.newest(`${entity}/${key}`)
    return letter?.place.partition === partition && letter.place.offset === offset ? letter : undefined
  }

  async #answer(
    command: SubscriberCommand,
    assignment: Assignment,
    result: CommandResult,
    code: string | null = null,
    records = 1,
  ): Promise<void> {
    try {
      // Another owner has it now, and answers.
      if (!assignment.active) return
      const at = new Date().toISOString()
      await this.#write(formatMessage({ kind: 'done', id: command.id, of: command.kind, result, code, records, at }))
      this.#commands.answered(command.id)
    } catch (error) {
      // It is carried out once more, which changes nothing, and answered then.
      this.#options.log('warn', 'a command could not be answered', { reason: (error as Error).message })
    } finally {
      this.#carriedOut.delete(command.id)
    }
  }

  async #write({ key, value }: { readonly key: string; readonly value: Buffer }): Promise<void> {
    const { deadLetters, prefix, subscriber } = this.#options
    await deadLetters.write([{ topic: commandsTopic(prefix, subscriber), key, value, headers: {} }])
  }

  #tellUntracked(): void {
    const { untracked } = this.#letters
    if (untracked === this.#told) return
    this.#told = untracked
    this.#options.log(
      'warn',
      `${this.#options.subscriber} has more than ${LETTERS_MAX} dead letters: the others are not tried again until some are ended`,
      { untracked },
    )
  }
}
