import { type ClockReading, openCheckup } from '../../../connectors/postgres/checkup/checkup.ts'
import { captureDeadLetterTopic } from '../../../schemas/topics.ts'
import { capturedTables } from '../../declaration/captured-tables.ts'
import type { DeclaredSource } from '../../declaration/declaration.ts'
import type { Environment } from '../../process/environment.ts'
import { deadLettersByEntity } from '../../status/status.ts'
import { ask, decided, letGo } from '../answer.ts'
import { areaOf, CHECK_NAMES } from '../checks.ts'
import { type Finding, failed, unasked } from '../finding.ts'
import { decideLetters } from './letters.ts'
import { decideRights, decideRoom, decideServer } from './server.ts'
import { decideLog, decideSlot, decideTransactions } from './slot.ts'
import { decideIdentity, decidePublication, decideTables } from './tables.ts'

export interface SourceLook {
  readonly findings: readonly Finding[]
  /** Null where the source did not answer. */
  readonly clock: ClockReading | null
}

/** Asks a source's server, and Kafka for its dead letters where they are wanted. Changes nothing. */
export async function lookAtSource(
  environment: Environment,
  source: DeclaredSource,
  wantsLetters: boolean,
): Promise<SourceLook> {
  const { name, url, slot, publication } = source
  const checkup = openCheckup({ name, url, slot, publication, tables: capturedTables(environment.declaration, name) })
  const asked = <T>(question: Promise<T>) => ask('source-unreachable', `source ${name}`, question)
  const letters = wantsLetters ? askLetters(environment, name) : []
  try {
    const first = await asked(checkup.server())
    if (first.error) {
      const others = CHECK_NAMES.filter(
        (one) => areaOf(one) === 'source' && one !== 'source-server' && one !== 'source-letters',
      )
      const rest = others.map((one) => unasked(one, name, `${name} does not answer`))
      return { findings: [failed('source-server', name, first.error), ...rest, ...(await letters)], clock: null }
    }
    const [tables, published, standing, room, rights] = await Promise.all([
      asked(checkup.tables()),
      asked(checkup.publication()),
      asked(checkup.slot()),
      asked(checkup.room()),
      asked(checkup.rights()),
    ])
    const { server, clock } = first.value
    const ofSlot = { exists: standing.value?.slot !== undefined, active: standing.value?.slot?.active === true }
    const findings = [
      decideServer(name, server),
      decided('source-rights', name, tables, (one) =>
        decided('source-rights', name, rights, (two) => decideRights(name, server, one.tables, two)),
      ),
      decided('source-tables', name, tables, (one) => decideTables(name, server, one.tables)),
      decided('source-identity', name, tables, (one) => decideIdentity(name, one.tables)),
      decided('source-publication', name, published, (one) => decidePublication(name, publication, one)),
      decided('source-room', name, room, (one) => decideRoom(name, one, ofSlot)),
      decided('source-slot', name, standing, (one) => decideSlot(source, one)),
      decided('source-log', name, standing, (one) => decideLog(name, one.retention)),
      decided('source-transactions', name, standing, (one) => {
        const sees = rights.value ?? { role: server.role, seesOthers: false }
        return decideTransactions(name, one.retention, sees)
      }),
    ]
    return { findings: [...findings.flat(), ...(await letters)], clock }
  } finally {
    await letGo(checkup.close())
  }
}

async function askLetters(environment: Environment, source: string): Promise<readonly Finding[]> {
  const topic = captureDeadLetterTopic(environment.declaration.name, source)
  const answer = await ask('kafka-unreachable', topic, deadLettersByEntity(environment, topic))
  return decided('source-letters', source, answer, (open) => decideLetters(source, open))
}
