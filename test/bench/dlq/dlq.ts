import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createProducer, type Producer } from '../../../connectors/kafka/producer.ts'
import { pollPatiently, tailTopic } from '../../../connectors/kafka/tail-topic.ts'
import { formatMessage, parseMessage } from '../../../schemas/subscriber-command.ts'
import { CUSTOMERS, declareCustomers } from '../../flow/customers.ts'
import { letterRecord } from '../../ops/dead-letters/subscriber/letters.ts'
import { COMMAND_ENV, NODE_FLAGS } from '../../support/first-line.ts'
import { createFlow, type Flow } from '../../support/flow.ts'
import { round } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'

export interface DlqOptions {
  readonly letters: number
  /** Of each refused record. */
  readonly bytes: number
  /** Of {@link COMMANDS}; all when there are none. */
  readonly only?: readonly string[]
}

export const COMMANDS = ['list', 'list-10000', 'list-code', 'show', 'replay-code', 'replay']

const CLI = fileURLToPath(new URL('../../../ops/cli/tributary.ts', import.meta.url))
const PEAK = new URL('./peak-process.ts', import.meta.url).href
const SUBSCRIBER = 'warehouse'
const SEND_BYTES = 2 * 1024 * 1024
const SEND_RECORDS_MAX = 2_000
const POLL_MS = 20
/** One letter in so many is refused again. */
const FAILS_EVERY = 100
const RARE_EVERY = 50

/**
 * The memory and the time that the commands over a subscriber's dead letters take. Each is a process of its own; whoever owns the keys is
 * played here, and answers at once.
 */
export async function benchDlq(
  { progress, atEnd }: Surroundings,
  { letters, bytes, only = COMMANDS }: DlqOptions,
): Promise<Figures> {
  progress.step('Making a pipeline')
  const flow = await createFlow(declareCustomers, CUSTOMERS)
  atEnd(() => flow.close())
  await flow.provision()
  const producer = createProducer(flow.environment().kafka)
  await producer.connect()
  atEnd(() => producer.close())
  progress.step(`Writing ${letters.toLocaleString('en')} dead letters of ${bytes} bytes`)
  await writeLetters(flow, producer, { letters, bytes }, progress.update)
  const stop = new AbortController()
  const owner = answerAll(flow, producer, stop.signal)
  atEnd(async () => {
    stop.abort()
    await owner
  })
  const figures: Record<string, unknown> = { letters, bytes }
  const argumentsOf: Readonly<Record<string, readonly string[]>> = {
    list: ['list', SUBSCRIBER],
    'list-10000': ['list', SUBSCRIBER, '--limit', '10000'],
    'list-code': ['list', SUBSCRIBER, '--code', 'RARE', '--state', 'dead'],
    show: ['show', SUBSCRIBER, 'customer', `key-${letters - 1}`],
    'replay-code': ['replay', SUBSCRIBER, '--code', 'RARE'],
    replay: ['replay', SUBSCRIBER],
  }
  for (const name of only) {
    const args = argumentsOf[name]!
    progress.step(`dlq ${args.join(' ')}`)
    figures[name] = await measure(flow, args)
  }
  progress.end()
  return figures
}

async function writeLetters(
  flow: Flow,
  producer: Producer,
  { letters, bytes }: Omit<DlqOptions, 'only'>,
  onProgress: (done: number, of: number) => void,
): Promise<void> {
  const topic = `${flow.prefix}.${SUBSCRIBER}.dead-letter`
  const sinceMs = Date.now() - 3_600_000
  const atOnce = Math.max(1, Math.min(SEND_RECORDS_MAX, Math.floor(SEND_BYTES / bytes)))
  for (let from = 0; from < letters; from += atOnce) {
    const count = Math.min(atOnce, letters - from)
    const records = Array.from({ length: count }, (_, index) => {
      const at = from + index
      const code = at % RARE_EVERY === 0 ? 'RARE' : 'INVALID'
      const state = at % 3 === 0 ? 'retrying' : 'dead'
      return letterRecord(topic, `key-${at}`, { code, state, sinceMs: sinceMs + at, value: randomBytes(bytes) })
    })
    await producer.send(records)
    onProgress(from + count, letters)
  }
}

/** Plays the owner of every key until it is stopped. */
async function answerAll(flow: Flow, producer: Producer, signal: AbortSignal): Promise<void> {
  const { kafka, declaration } = flow.environment()
  const topic = `${flow.prefix}.${SUBSCRIBER}.commands`
  const tail = await tailTopic(kafka, declaration.kafka.brokers, topic, 'end')
  try {
    while (!signal.aborted) {
      const answers: ReturnType<typeof formatMessage>[] = []
      await pollPatiently(
        tail,
        ({ key, value }) => {
          const message = parseMessage(key, value)
          if (message?.kind !== 'replay') return
          const isBad = Number(message.key.slice('key-'.length)) % FAILS_EVERY === 0
          const result = isBad
            ? ({ result: 'failed', code: 'STILL_BAD' } as const)
            : ({ result: 'applied', code: null } as const)
          const { id, kind: of, at } = message
          answers.push(formatMessage({ kind: 'done', id, of, ...result, records: 1, at }))
        },
        signal,
      ).catch((error) => {
        if (!signal.aborted) throw error
      })
      if (answers.length > 0) await producer.send(answers.map((answer) => ({ topic, ...answer, headers: {} })))
      else await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  } finally {
    await tail.close()
  }
}

/** One command in a process of its own, as it is shipped. */
async function measure(
  flow: Flow,
  args: readonly string[],
): Promise<{ peakMb: number; seconds: number; says: string }> {
  const startedMs = performance.now()
  const child = spawn(process.execPath, [...NODE_FLAGS, '--import', PEAK, CLI, 'dlq', ...args, '-f', flow.file], {
    env: { ...flow.env, ...COMMAND_ENV },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let peak = ''
  let first = ''
  child.stdio[3]!.on('data', (chunk) => {
    peak += chunk
  })
  let last = ''
  // Its progress, and why it failed.
  child.stderr!.on('data', (chunk) => {
    last = (last + chunk).slice(-2_000)
  })
  child.stdout!.on('data', (chunk) => {
    if (first === '') first = String(chunk).split('\n', 1)[0]!
    last = (last + chunk).slice(-2_000)
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const outcome = /^\d+ applied.*$/m.exec(last)?.[0]
  if (peak === '' || (code !== 0 && outcome === undefined))
    throw new Error(`dlq ${args[0]} ended with ${code}: ${last}`)
  return {
    peakMb: round(Number(peak) / 1024),
    seconds: round((performance.now() - startedMs) / 1000),
    says: outcome ?? first,
  }
}
