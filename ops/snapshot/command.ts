import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import { request } from '../../connectors/postgres/request.ts'
import { parseCondition } from '../../connectors/postgres/snapshot/condition.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { wholeNumber } from '../cli/options.ts'
import { redrawnLine } from '../cli/redrawn-line.ts'
import { entitiesOf } from '../declaration/captured-tables.ts'
import type { DeclaredEntity } from '../declaration/declaration.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { findSource } from '../process/capture.ts'
import { openEnvironment } from '../process/environment.ts'
import { follow, type SnapshotNews } from './follow.ts'
import { formatNews } from './format.ts'

interface SnapshotFlags {
  readonly file: string
  readonly where: readonly string[]
  readonly wait: boolean
  readonly timeout: number
  readonly json?: boolean
}

const QUIET_SECONDS = 60
const QUIET_SECONDS_MAX = 3_600

/** `tributary snapshot <source> [entity]`: asks the running capture to read tables again, in their place in the stream. */
export function snapshotCommand(): Command {
  return new Command('snapshot')
    .description('let the running capture read tables again, beside the stream, and delete keys that they do not have')
    .argument('<source>', 'a source of the declaration')
    .argument('[entity]', 'only this one; every entity of the source when there is none')
    .option(
      '--where <condition>',
      'only rows for which it holds, such as country=NL or credit_limit>=1000; may be given several times',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option('--no-wait', 'do not wait for its end')
    .option(
      '--timeout <seconds>',
      'give up when nothing was heard for so long',
      wholeNumber(1, QUIET_SECONDS_MAX),
      QUIET_SECONDS,
    )
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (name: string, only: string | undefined, flags: SnapshotFlags) => {
      const environment = openEnvironment(flags.file)
      const source = findSource(environment.declaration, name)
      const entities = choose(entitiesOf(environment.declaration, name), name, only, flags)
      const where = entities.length === 1 ? flags.where.map((text) => parseCondition(text, entities[0]!)) : []
      const id = randomUUID()
      const requests = entities.map((entity) => ({
        kind: 'snapshot' as const,
        slot: source.slot,
        id,
        entity: entity.name,
        where: [...where],
      }))
      await request(source.url, name, requests)
      const names = entities.map((entity) => entity.name)
      if (!flags.wait) {
        if (flags.json) console.log(JSON.stringify({ ok: true, source: name, id, entities: names }))
        else console.log(`Asked for a snapshot of ${names.join(', ')}.`)
        return
      }
      const line = redrawnLine({ quietMs: 0, everyMs: 0 })
      const tell = (news: readonly SnapshotNews[]) =>
        line.draw(() => formatNews(news, Date.now()).join(' · ').slice(0, WIDTH_MAX))
      const news = await follow(environment, name, id, names, flags.timeout * 1_000, tell).finally(line.end)
      report(name, id, news, flags)
    })
}

function choose(
  all: readonly DeclaredEntity[],
  source: string,
  only: string | undefined,
  { where }: SnapshotFlags,
): readonly DeclaredEntity[] {
  const chosen = only === undefined ? all : all.filter(({ name }) => name === only)
  if (chosen.length === 0)
    throw new TributaryError(
      'declaration-invalid',
      `Source ${source} has no entity ${only ?? ''}; it has: ${all.map(({ name }) => name).join(', ') || 'none'}.`,
    )
  if (where.length > 0 && only === undefined)
    throw new TributaryError('filter-invalid', 'A filter is about the fields of one entity: name it after the source.')
  return chosen
}

function report(source: string, id: string, news: readonly SnapshotNews[], { json }: SnapshotFlags): void {
  const refused = news.filter(({ state }) => state === 'refused')
  const ok = refused.length === 0
  const message = refused.map(({ entity, problem }) => `${entity}: ${problem}`).join('; ')
  if (json) {
    const entities = news.map(({ entity, state, rowsDone, problem }) => ({ entity, state, rows: rowsDone, problem }))
    console.log(
      JSON.stringify({ ok, ...(!ok && { error: { code: 'filter-invalid', message } }), source, id, entities }),
    )
  } else for (const line of formatNews(news, Date.now()).flatMap((text) => wrap(text, WIDTH_MAX))) console.log(line)
  if (!ok) process.exitCode = 2
}
