import type { GroupLag } from '../../../connectors/kafka/admin.ts'
import type { Scope } from '../../../consumers/ledger/ledger.ts'
import { liveVersion } from '../../../consumers/ledger/stored-entry.ts'
import type { Change } from '../../../schemas/delta.ts'
import { ROUTE, TOPIC } from '../fixtures.ts'
import { entryKey, failingKey } from '../ledger/ledger-model.ts'
import { type EngineChoice, startEngine } from '../own-engine.ts'
import { ownHistory } from '../own-history.ts'

/** A subscriber that has applied `applied`, and a topic that holds `topic` now. */
export async function startSweep(applied: readonly Change[], topic: readonly Change[], choice: EngineChoice = {}) {
  const started = startEngine(choice)
  const { own, history } = ownHistory(...topic)
  if (applied.length > 0) {
    started.ingest(...applied)
    await started.until(() => started.committable === applied.length, 'all is applied')
  }
  started.sent.length = 0
  const { model } = started
  const notes = { seenAtMs: null as number | null, nowMs: 1_000_000, settledAtMs: null as number | null, touched: 0 }
  const ledger = {
    connection: 1,
    claim: async (scope: Scope, token: string) => model.claim(scope, token, Date.now()),
    progress: async () => (notes.settledAtMs === null ? null : { settledAtMs: notes.settledAtMs, committedAt: 0n }),
    deletesSeen: async () => ({ atMs: notes.seenAtMs, nowMs: notes.nowMs }),
    async touch(): Promise<'ok'> {
      notes.touched++
      notes.seenAtMs = notes.nowMs
      return 'ok'
    },
    async *liveKeys(scope: Scope) {
      const prefix = entryKey(scope, '')
      for (const [name, text] of [...model.store]) {
        if (!name.startsWith(prefix)) continue
        const key = name.slice(prefix.length)
        const version = liveVersion(text, model.store.get(failingKey(scope, key)) ?? null)
        if (version !== null) yield [{ key, version }]
      }
    },
  }
  const lag: GroupLag = { topic: TOPIC, partition: 0, low: 0n, high: 10n, committed: 10n }
  const assignment = [...started.engine.assignments][0]!
  const parts = { engine: started.engine, ledger, history, mapping: ROUTE.mapping, partitions: ROUTE.partitions }
  return {
    ...started,
    own,
    ledger,
    notes,
    lag,
    assignment,
    parts,
    deletes: () =>
      started.sent
        .flat()
        .map(({ key }) => key)
        .sort(),
  }
}
