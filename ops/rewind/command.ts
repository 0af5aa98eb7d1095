import { Command, InvalidArgumentError } from 'commander'
import { openAdmin } from '../../connectors/kafka/admin.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { findSubscriber, groupsOf } from '../process/delivery.ts'
import { type Environment, openEnvironment } from '../process/environment.ts'
import { parseTarget, planRewind, type RewoundOffset } from './plan.ts'

interface RewindFlags {
  readonly file: string
  readonly to: 'beginning' | Date
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `tributary rewind <subscriber> [entity] --to <place>`: the next start of delivery reads the topics from there again. */
export function rewindCommand(): Command {
  return new Command('rewind')
    .description('let a subscriber that is stopped read its topics again from an earlier place')
    .argument('<subscriber>', 'a subscriber of the declaration')
    .argument('[entity]', 'only this one; every entity of the subscriber when there is none')
    .requiredOption('--to <place>', 'beginning, or a time such as 2026-05-04T13:00:00Z', target)
    .option('--dry-run', 'say what would be set, and set nothing')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (name: string, entity: string | undefined, flags: RewindFlags) => {
      const environment = openEnvironment(flags.file)
      report(name, await rewind(environment, name, entity, flags), flags)
    })
}

/** @throws TributaryError `group-active`, `declaration-invalid`, `topic-missing`, `kafka-unreachable` */
async function rewind(
  { declaration, kafka }: Environment,
  name: string,
  only: string | undefined,
  { to, dryRun }: RewindFlags,
): Promise<readonly RewoundOffset[]> {
  const groups = groupsOf(declaration, findSubscriber(declaration, name)).flatMap(({ groupId, routes }) => {
    const topics = routes.filter(({ mapping }) => only === undefined || mapping.entity.name === only)
    return topics.length === 0 ? [] : [{ groupId, topics: topics.map(({ topic }) => topic) }]
  })
  if (groups.length === 0)
    throw new TributaryError('declaration-invalid', `Subscriber ${name} does not take entity ${only ?? ''}.`)
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    if (!dryRun) {
      let members = 0
      for (const { groupId } of groups) members += await admin.groupMembers(groupId)
      if (members > 0)
        throw new TributaryError(
          'group-active',
          `${members === 1 ? 'One process delivers' : `${members} members deliver`} to ${name}, and would go on from where it is. Stop ` +
            `\`tributary deliver ${name}\` (or \`tributary run\`), wherever it runs; one that was killed counts for 10 s more. Then run this again.`,
        )
    }
    const moved: RewoundOffset[] = []
    for (const { groupId, topics } of groups) {
      const plan = planRewind(
        await admin.groupLag(groupId, topics),
        to === 'beginning' ? null : new Map(await Promise.all(topics.map(async (topic) => at(topic, to)))),
      )
      moved.push(...plan)
      if (dryRun) continue
      for (const topic of topics) {
        const offsets = plan.filter((one) => one.topic === topic)
        if (offsets.length > 0) await admin.setOffsets(groupId, topic, offsets)
      }
    }
    return moved
  } finally {
    await admin.close()
  }

  async function at(topic: string, time: Date): Promise<[string, ReadonlyMap<number, bigint>]> {
    return [topic, await admin.offsetsAt(topic, time.getTime())]
  }
}

function report(subscriber: string, moved: readonly RewoundOffset[], { dryRun = false, json }: RewindFlags): void {
  if (json) {
    const offsets = moved.map(({ from, to, ...place }) => ({ ...place, from: String(from), to: String(to) }))
    console.log(JSON.stringify({ ok: true, subscriber, dryRun, offsets }))
    return
  }
  const width = Math.max(0, ...moved.map(({ topic }) => topic.length))
  for (const { topic, partition, from, to } of moved)
    console.log(`${topic.padEnd(width)}  partition ${String(partition).padStart(3)}  ${from} → ${to}`)
  const records = moved.reduce((sum, { from, to }) => sum + (from! - to), 0n)
  const said =
    moved.length === 0
      ? `Nothing to rewind: ${subscriber} has nothing committed beyond that place.`
      : dryRun
        ? `Nothing was set. About ${records} records would be read again.`
        : `Rewound. About ${records} records are read again when \`tributary deliver ${subscriber}\` starts; what is applied is not sent again.`
  for (const line of wrap(said, WIDTH_MAX)) console.log(line)
}

function target(text: string): 'beginning' | Date {
  const parsed = parseTarget(text)
  if (parsed !== undefined) return parsed
  throw new InvalidArgumentError('It is beginning, or a time in ISO 8601 with its zone, such as 2026-05-04T13:00:00Z.')
}
