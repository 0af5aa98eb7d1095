import { compareVersions } from '../../../schemas/version.ts'
import type { CaptureContext, SourceEvent } from '../../source.ts'
import { RememberedKeys } from '../remembered-keys.ts'
import type { Emptied } from './translate.ts'

/**
 * The deletes that a TRUNCATE means. The log does not name the rows, so the topic is asked: what is alive on it and older than the
 * TRUNCATE was in the table. Everything before the TRUNCATE must have been handed out.
 */
export async function* emptyTable(
  context: CaptureContext,
  { entity, version, source, origin }: Emptied,
): AsyncGenerator<readonly SourceEvent[]> {
  const deleted = new RememberedKeys()
  for await (const { records } of context.published(entity, await context.publishedRange(entity))) {
    const deletes: SourceEvent[] = []
    for (const record of records) {
      if (record.deleted || compareVersions(record.version, version) >= 0 || !deleted.add(record.key)) continue
      deletes.push({
        kind: 'change',
        change: { op: 'delete', entity, key: record.key, version, source, origin },
        missing: [],
      })
    }
    if (deletes.length > 0) yield deletes
  }
}
