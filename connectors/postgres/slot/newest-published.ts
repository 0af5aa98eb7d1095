import { compareVersions, type Version } from '../../../schemas/version.ts'
import type { CaptureContext } from '../../source.ts'

/**
 * The newest version on these entities' topics, of those that `counts`; undefined when there is none. Reads the topics to their ends.
 * @throws TributaryError `kafka-unreachable`, `topic-missing`
 */
export async function newestPublished(
  context: CaptureContext,
  entities: readonly string[],
  counts: (version: Version) => boolean = () => true,
): Promise<Version | undefined> {
  let newest: Version | undefined
  for (const entity of entities)
    for await (const { records } of context.published(entity, await context.publishedRange(entity)))
      for (const { version } of records)
        if (counts(version) && (newest === undefined || compareVersions(version, newest) > 0)) newest = version
  return newest
}
