import { sendLoad } from '../../support/load.ts'
import { insertRows } from '../../support/workload.ts'
import { type Capturer, Void } from '../stage.ts'
import type { DebeziumName } from '../worker/settings.ts'
import type { Bench } from './bench.ts'
import { snapshot } from './capture.ts'

const DEBEZIUM: readonly DebeziumName[] = ['debezium', 'debezium-json']
/** Changes a second while the process is killed and started again. */
const RATE = 50
const BEFORE_MS = 5_000
/** What was on its way to the broker when the process was killed arrives within this; no process starts so fast. */
const IN_FLIGHT_MS = 200
/** Rows of the table; small, because nothing here depends on it. */
const KEYS = 1_000

/**
 * Kills a capturing process while changes go on, starts it again at once, and takes the time from the kill until the broker appends the
 * first record of the new process. Records that it publishes a second time count: they are events, too.
 */
export async function compareRestart(bench: Bench): Promise<void> {
  const { stage } = bench
  const { flow } = stage.pipeline
  await insertRows(flow.source, 1, KEYS)
  const capturers = [
    stage.tributary,
    ...DEBEZIUM.filter((name) => bench.options.beside.includes(name)).map((name) => stage.debezium(name)),
  ]
  for (const capturer of capturers) await snapshot(bench, capturer, KEYS)
  const changes = { made: 0, published: new Map(capturers.map(({ name }) => [name, 0])) }
  await bench.rounds(
    'restart',
    capturers.map(({ name }) => name),
    (contender) => restart(bench, capturers.find(({ name }) => name === contender)!, changes),
  )
}

interface Changes {
  made: number
  /** Up to which change each capturer has published. */
  readonly published: Map<string, number>
}

async function restart({ stage }: Bench, capturer: Capturer, changes: Changes) {
  const begin = await stage.place(capturer.topic)
  const before = await capturer.start()
  await before.ready()
  // First what was changed while another one was measured.
  const from = await stage.untilAppended(capturer, before, begin, changes.made - changes.published.get(capturer.name)!)
  const stopLoad = new AbortController()
  let sent = 0
  const keys = new Set<string>()
  const load = sendLoad(
    stage.pipeline.flow.source,
    {
      rate: RATE,
      seconds: Number.POSITIVE_INFINITY,
      keys: KEYS,
      first: changes.made + 1,
      signal: stopLoad.signal,
    },
    (key) => {
      sent++
      keys.add(key)
    },
  )
  try {
    await stage.untilAppended(capturer, before, from, RATE, 0)
    await pause(BEFORE_MS)
    const killedAtMs = Date.now()
    await before.kill()
    const after = await capturer.start()
    await pause(IN_FLIGHT_MS)
    const left = await stage.place(capturer.topic)
    // A new writer marks its topic before it publishes; so many records are more than marks.
    await stage.untilAppended(capturer, after, left, RATE, 0)
    stopLoad.abort()
    await load
    const to = await stage.untilAppended(capturer, after, left, RATE)
    const peakMb = after.peakMb()
    await after.stop()
    const done = await stage.read(capturer, left, to)
    const whole = await stage.read(capturer, from, to)
    if (whole.records < sent) throw new Void(`published ${whole.records} records for ${sent} changes`)
    await stage.compareRows(whole, keys)
    return {
      killToFirstMs: done.firstAppendMs - killedAtMs,
      // Published by the new process although they had been.
      repeatedRecords: whole.records - sent,
      peakMb,
    }
  } finally {
    stopLoad.abort()
    await load
    changes.made += sent
    changes.published.set(capturer.name, changes.made)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
