import type { ServerFacts } from '../../../connectors/postgres/catalog/catalog.ts'
import {
  type Examined,
  inspectReading,
  inspectRole,
  inspectServer,
} from '../../../connectors/postgres/catalog/inspect.ts'
import type { RightsFacts } from '../../../connectors/postgres/checkup/rights.ts'
import type { RoomFacts } from '../../../connectors/postgres/checkup/room.ts'
import { quoteName } from '../../../connectors/postgres/connection.ts'
import type { CheckName } from '../checks.ts'
import { type Finding, fail, ok, orElse, splitAdvice, warn } from '../finding.ts'

/** What is wrong with a source's server; its role is looked at by {@link decideRights}. Pure. */
export function decideServer(source: string, server: ServerFacts): readonly Finding[] {
  const ofRole = inspectRole(server)
  const wrong = inspectServer(server).filter((finding) => !ofRole.includes(finding))
  const release = `${Math.floor(server.version / 10_000)}.${server.version % 10_000}`
  const well = `PostgreSQL ${release}, wal_level ${server.walLevel}, ${server.encoding}`
  return orElse(refusals('source-server', source, wrong), ok('source-server', source, well))
}

/** What the role of a source may not do. Pure. */
export function decideRights(
  source: string,
  server: ServerFacts,
  tables: readonly Examined[],
  rights: RightsFacts,
): readonly Finding[] {
  const role = quoteName(rights.role)
  const readable = tables.filter(({ facts }) => facts !== undefined)
  const wrong = readable.flatMap(({ captured, facts }) => inspectReading(captured, facts!, server))
  const findings = refusals('source-rights', source, [...inspectRole(server), ...wrong])
  const emits = rights.mayEmit
    ? []
    : [
        warn(
          'source-rights',
          source,
          `role ${role} may not write heartbeats, nor the requests of tributary snapshot, recover and dlq replay`,
          `GRANT EXECUTE ON FUNCTION ${rights.emitFunction} TO ${role}`,
        ),
      ]
  const well = `role ${role} may replicate, read ${readable.length} of ${tables.length} declared tables, and write heartbeats`
  return orElse([...findings, ...emits], ok('source-rights', source, well))
}

/** Capture needs a slot and a sender of the log, and a snapshot one more of each while it takes a point. */
const FOR_A_SNAPSHOT = 1
/** A connection for each table that a snapshot reads side by side, and some for questions. */
const CONNECTIONS_MIN = 10

/** Whether the server has room for capture and a snapshot. @param slot what capture has already. Pure. */
export function decideRoom(
  source: string,
  room: RoomFacts,
  slot: { readonly exists: boolean; readonly active: boolean },
): readonly Finding[] {
  const { slots, idleSlots, slotsMax, senders, sendersMax, connections, connectionsMax } = room
  const idle =
    idleSlots > 0
      ? `\nor drop one of the ${idleSlots} that nobody reads: SELECT slot_name FROM pg_replication_slots WHERE NOT active`
      : ''
  const limits = [
    {
      what: 'replication slots',
      setting: 'max_replication_slots',
      used: slots,
      max: slotsMax,
      needed: slot.exists ? 0 : 1,
      or: idle,
    },
    {
      what: 'senders of the log',
      setting: 'max_wal_senders',
      used: senders,
      max: sendersMax,
      needed: slot.active ? 0 : 1,
      or: '',
    },
  ]
  const findings = limits.flatMap(({ what, setting, used, max, needed, or }) => {
    const left = max - used
    if (left >= needed + FOR_A_SNAPSHOT) return []
    const todo = `ALTER SYSTEM SET ${setting} = ${max + needed + FOR_A_SNAPSHOT}; then restart the server${or}`
    const found = `${used} of ${max} ${what} are taken`
    return left < needed
      ? [fail('source-room', source, `${found}: capture cannot start`, todo)]
      : [warn('source-room', source, `${found}: a snapshot has to wait`, todo)]
  })
  if (connectionsMax - connections < CONNECTIONS_MIN)
    findings.push(
      warn(
        'source-room',
        source,
        `${connections} of ${connectionsMax} connections are taken: a snapshot may have to wait`,
        `ALTER SYSTEM SET max_connections = ${connectionsMax + CONNECTIONS_MIN}; then restart the server`,
      ),
    )
  const well = `${slots} of ${slotsMax} slots, ${senders} of ${sendersMax} senders, ${connections} of ${connectionsMax} connections taken`
  return orElse(findings, ok('source-room', source, well))
}

/** Findings of the catalogue, each of which forbids capture. */
export function refusals(name: CheckName, subject: string, findings: readonly string[]): Finding[] {
  return findings.map((finding) => {
    const { found, todo } = splitAdvice(finding)
    return fail(name, subject, found, todo)
  })
}
