import { FLAWS } from './flaws.ts'
import type { Scenario } from './scenario.ts'
import type { Stage } from './stage.ts'

export const CAPTURE_SCENARIOS: readonly Scenario[] = [
  {
    // Two changes of one key in one transaction, of which one is a delete, so that they do not become one on their way.
    flaw: FLAWS.versionByLsn,
    part: 'capture',
    breaks: ['G2', 'G4'],
    async happen(stage) {
      await stage.begin()
      await stage.flow.source.begin(async (sql) => {
        await sql`UPDATE items SET name = 'second' WHERE id = 'a'`
        await sql`DELETE FROM items WHERE id = 'a'`
        await sql`DELETE FROM items WHERE id = 'b'`
        await sql`INSERT INTO items VALUES ('b', 'again', 'd')`
      })
    },
  },
  {
    // A send is on its way to Kafka for so long that the reader tells the server meanwhile how far it is.
    flaw: FLAWS.acknowledgedByTimer,
    part: 'capture',
    breaks: ['G7'],
    async happen(stage) {
      const { capture } = await stage.begin()
      await stage.published(1, () => stage.set('b', { name: 'second' }))
      const send = capture.kafka.holdSend(stage.topic)
      await stage.set('a', { name: 'second' })
      await stage.arrived(send)
      await untilToldAgain(stage)
      await stage.untilSampled()
      send.release()
    },
  },
  {
    // Many sends are under way when the answer to the first of them is lost with its connection: the second takes its number, and is taken
    // for its repetition; and the first comes again behind what followed.
    flaw: FLAWS.concurrentSends,
    part: 'capture',
    breaks: ['G1'],
    async happen(stage) {
      const { capture } = await stage.begin()
      capture.kafka.loseAnswers(1, stage.topic)
      await stage.flow.source.begin(async (sql) => {
        for (const id of ONE_PARTITION) await sql`INSERT INTO items VALUES (${id}, 'one', 'd')`
        await sql`UPDATE items SET name = 'two' WHERE id = ${ONE_PARTITION[0]!}`
      })
    },
  },
  {
    // A writer dies with a send under way, which reaches the broker when another has published more.
    flaw: FLAWS.staleTail,
    part: 'capture',
    breaks: ['G1'],
    async happen(stage) {
      const { capture } = await stage.begin()
      const late = capture.kafka.holdSend(stage.topic)
      await stage.set('a', { name: 'second' })
      await stage.arrived(late)
      capture.process.kill('SIGKILL')
      await capture.process.exited
      await stage.set('a', { name: 'third' })
      await stage.published(2, () => stage.capture())
      late.release()
      await stage.arrived({ arrived: late.answered })
    },
  },
]

const ONE_PARTITION = ['f', 'g', 'h']

/** Waits until the server has sent all that was committed, and the reader has told it twice since how far it is. */
async function untilToldAgain(stage: Stage): Promise<void> {
  const { source } = stage.flow
  const [now] = await source<{ lsn: string }[]>`SELECT pg_current_wal_insert_lsn()::text AS lsn`
  const replies = new Set<string>()
  await stage.until(async () => {
    const [reader] = await source<{ at: string | null; sent: boolean }[]>`
      SELECT r.reply_time::text AS at, r.sent_lsn >= ${now!.lsn}::pg_lsn AS sent FROM pg_stat_replication AS r
      JOIN pg_replication_slots AS s ON s.active_pid = r.pid WHERE s.database = current_database() AND NOT s.temporary`
    if (reader?.sent === true && reader.at !== null) replies.add(reader.at)
    return replies.size > 2
  }, 'the reader has told how far it is')
}
