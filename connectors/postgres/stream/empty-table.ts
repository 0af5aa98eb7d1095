import { compareVersions } from '../../../schemas/version.ts'
import type { CaptureContext, SourceEvent } from '../../source.ts'
import type { Emptied } from './translate.ts'

/** Keys that were just deleted are remembered, up to so many: a topic has several records of a key until it is compacted. */
const REMEMBERED_MAX = 100_000

/**
 * The deletes that a TRUNCATE means. The log does not name the rows, so the topic is asked: what is alive on it and older than the
 * TRUNCATE was in the table. Everything before the TRUNCATE must have been handed out.
 */
export async function* emptyTable(
  context: CaptureContext,
  { entity, version, source, origin }: Emptied,
): AsyncGenerator<readonly SourceEvent[]> {
  const deleted = new Set<string>()
  for await (const { records } of context.published(entity, await context.publishedRange(entity))) {
    const deletes: SourceEvent[] = []
    for (const record of records) {
      if (record.deleted || deleted.has(record.key) || compareVersions(record.version, version) >= 0) continue
      if (deleted.size < REMEMBERED_MAX) deleted.add(record.key)
      deletes.push({
        kind: 'change',
        change: { op: 'delete', entity, key: record.key, version, source, origin },
        missing: [],
      })
    }
    if (deletes.length > 0) yield deletes
  }
}
