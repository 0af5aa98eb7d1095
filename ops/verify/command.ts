import { Command, InvalidArgumentError } from 'commander'
import type { ErrorCode } from '../../schemas/errors.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { entityTopic } from '../../schemas/topics.ts'
import { redrawnLine } from '../cli/redrawn-line.ts'
import type { Declaration, DeclaredEntity } from '../declaration/declaration.ts'
import { type Environment, openEnvironment } from '../process/environment.ts'
import { type EntityVerdict, failureOf, formatProgress, formatVerdicts, maskKeys } from './format.ts'
import { KEYS_AT_ONCE, NAMED_MAX, SUSPECTS_MAX, verifyTopic } from './verify-topic.ts'

interface VerifyFlags {
  readonly file: string
  readonly limit: number
  readonly keysAtOnce: number
  readonly showKeys?: true
  readonly json?: true
}

const OUT_OF_ORDER: ErrorCode = 'topic-out-of-order'
const REDRAW_INTERVAL_MS = 150
const KEYS_AT_ONCE_MAX = 50_000_000

/** `tributary verify [entity]`: is the last record of every key its newest version? Exit code 1 when one is not. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('read the topic of an entity, or of all: is the last record of every key its newest version?')
    .argument('[entity]', 'an entity of the declaration; all of them when there is none')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option(
      '--limit <number>',
      'how many keys and records are named; the others are counted',
      whole(0, SUSPECTS_MAX),
      NAMED_MAX,
    )
    .option(
      '--keys-at-once <number>',
      'keys looked at in one reading, at 39 bytes each; for more the topic is read again',
      whole(1, KEYS_AT_ONCE_MAX),
      KEYS_AT_ONCE,
    )
    .option('--show-keys', 'name keys also where the declaration says that they are personal')
    .option('--json', 'one JSON object instead of text')
    .action(async (entity: string | undefined, flags: VerifyFlags) => {
      const environment = openEnvironment(flags.file)
      const { declaration } = environment
      const entities = entity === undefined ? [...declaration.entities.values()] : [findEntity(declaration, entity)]
      const verdicts: EntityVerdict[] = []
      for (const one of entities) verdicts.push(await verify(environment, one, flags))
      report(verdicts, flags)
    })
}

function report(entities: readonly EntityVerdict[], { json }: VerifyFlags): void {
  const message = failureOf(entities)
  const ok = message === undefined
  if (json) console.log(JSON.stringify({ ok, ...(!ok && { error: { code: OUT_OF_ORDER, message } }), entities }))
  else for (const line of formatVerdicts(entities)) console.log(line)
  if (!ok) process.exitCode = 1
}

async function verify(environment: Environment, entity: DeclaredEntity, flags: VerifyFlags): Promise<EntityVerdict> {
  const { declaration, kafka } = environment
  const { name, key, fields } = entity
  const line = redrawnLine({ quietMs: 0, everyMs: REDRAW_INTERVAL_MS })
  try {
    const verdict = await verifyTopic(kafka, declaration.kafka.brokers, entityTopic(declaration.name, name), {
      keysAtOnce: flags.keysAtOnce,
      namedMax: flags.limit,
      onProgress: (progress) => line.draw(() => formatProgress(name, progress)),
    })
    const isPersonal = fields.some((field) => field.personal && key.includes(field.name))
    const keysShown = !isPersonal || flags.showKeys === true
    const shown = keysShown ? verdict : maskKeys(verdict, declaration.ledger.fingerprintKey)
    return { entity: name, keysShown, ...shown }
  } finally {
    line.end()
  }
}

function findEntity(declaration: Declaration, name: string): DeclaredEntity {
  const entity = declaration.entities.get(name)
  if (entity) return entity
  const known = [...declaration.entities.keys()].join(', ')
  throw new TributaryError(
    'declaration-invalid',
    `There is no entity ${name} in ${declaration.file}; declared: ${known || 'none'}.`,
  )
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}
