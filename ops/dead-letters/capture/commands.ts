import { TributaryError } from '../../../schemas/errors.ts'
import { captureDeadLetterTopic } from '../../../schemas/topics.ts'
import type { DeclaredSource } from '../../declaration/declaration.ts'
import type { Environment } from '../../process/environment.ts'
import type { ListFlags, ShowFlags } from '../flags.ts'
import { keyShower } from './key-shown.ts'
import { formatList, listLetters } from './list.ts'
import type { LetterFilter } from './open-letters.ts'
import { askSource, readLetters } from './read.ts'
import { formatShown, showJson } from './show.ts'

export async function listOfSource(
  environment: Environment,
  source: DeclaredSource,
  filter: LetterFilter,
  flags: ListFlags,
  signal: AbortSignal,
): Promise<void> {
  const letters = await readLetters(environment, source.name, filter, signal)
  const showKey = keyShower(environment.declaration.entities, flags.showKeys === true)
  const now = Date.now()
  const list = listLetters(source.name, letters.list(), letters.leftOut > 0, flags.limit, showKey, now)
  if (flags.json) console.log(JSON.stringify({ ok: true, ...list }))
  else for (const line of formatList(list, now)) console.log(line)
}

/** @throws TributaryError `dead-letter-missing`; what the source answers when it cannot be asked */
export async function showOfSource(
  environment: Environment,
  source: DeclaredSource,
  entity: string,
  key: string,
  flags: ShowFlags,
  signal: AbortSignal,
): Promise<void> {
  const { name } = source
  const [letter] = (await readLetters(environment, name, { entity, key }, signal)).list()
  if (letter === undefined)
    throw new TributaryError(
      'dead-letter-missing',
      `Source ${name} has no open dead letter of ${entity} with this key. List them: \`tributary dlq list ${name}\`.`,
    )
  const showPersonal = flags.showPersonal === true
  let now = null
  let failure: TributaryError | null = null
  try {
    now = await askSource(environment, source, letter)
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    failure = error
  }
  const { declaration } = environment
  const shown = {
    source: name,
    letter,
    topic: captureDeadLetterTopic(declaration.name, name),
    key: keyShower(declaration.entities, showPersonal)(entity, key),
    now,
    showPersonal,
  }
  if (flags.json) {
    const error = failure && { error: { code: failure.code, message: failure.message } }
    console.log(JSON.stringify({ ok: failure === null, ...error, ...showJson(shown) }))
    if (failure !== null) process.exitCode = failure.exitCode
    return
  }
  for (const line of formatShown(shown, Date.now())) console.log(line)
  if (failure !== null) throw failure
}
