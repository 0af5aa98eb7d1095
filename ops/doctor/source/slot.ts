import type { SlotAnswer } from '../../../connectors/postgres/checkup/checkup.ts'
import { causeOf, formatSize, type Retention } from '../../../connectors/postgres/slot/retention.ts'
import { isGone } from '../../../connectors/postgres/slot/slot.ts'
import { seconds } from '../../cli/table.ts'
import type { DeclaredSource } from '../../declaration/declaration.ts'
import { counted, type Finding, fail, ok, orElse, warn } from '../finding.ts'

/** Whether the slot is there, read, and would live on. Pure. */
export function decideSlot(
  { name, slot, onLostHistory }: Pick<DeclaredSource, 'name' | 'slot' | 'onLostHistory'>,
  { slot: facts, failover }: SlotAnswer,
): readonly Finding[] {
  const start = `tributary capture ${name}`
  if (facts === undefined)
    return [warn('source-slot', name, `slot "${slot}" is not there: capture makes it when it first starts`, start)]
  if (isGone(facts)) {
    const why = facts.invalidation_reason ?? 'the log that it needs was removed'
    const then = onLostHistory === 'hold' ? `tributary recover ${name}` : start
    const todo = `${then}: a new epoch begins, and every table is read again\nThen raise max_slot_wal_keep_size, so that it lasts for the longest outage`
    return [fail('source-slot', name, `the server has given slot "${slot}" up (${why}): changes may be missing`, todo)]
  }
  const findings: Finding[] = []
  if (!facts.active)
    findings.push(
      warn('source-slot', name, `nobody reads slot "${slot}", and the server keeps its log meanwhile`, start),
    )
  if (failover?.canFailOver && !failover.failover && failover.standbys > 0)
    findings.push(
      warn(
        'source-slot',
        name,
        `slot "${slot}" is no failover slot, and the server has ${counted(failover.standbys, 'standby slot')}: a failover would lose it`,
        `While capture is stopped:\npsql "… replication=database" -c 'ALTER_REPLICATION_SLOT ${slot} ( FAILOVER true )'`,
      ),
    )
  const well = `"${slot}" is read by server process ${facts.active_pid}, wal_status ${facts.wal_status ?? 'not known'}`
  return orElse(findings, ok('source-slot', name, well))
}

/** Of the limit: from here on there are hours left, and from there on minutes. */
const WARN_SHARE = 0.5
const FAIL_SHARE = 0.9

const SET_LIMIT =
  "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf()\nChoose what is written in the longest outage, twice, and less than the free disk"

/** Whether the log that the server keeps is bounded, and far from its bound. Pure. */
export function decideLog(source: string, retention: Retention | undefined): readonly Finding[] {
  const name = 'source-log'
  if (retention === undefined) return [ok(name, source, 'nothing is kept: there is no slot yet')]
  const { retainedBytes, limitBytes, walStatus } = retention
  if (walStatus === 'lost' || retention.invalidation !== null)
    return [ok(name, source, 'nothing is kept for a slot that was given up')]
  const kept = formatSize(retainedBytes)
  if (limitBytes === null) {
    const found = `${kept} kept, without a limit (max_slot_wal_keep_size is -1): a reader that is away fills the disk of the server`
    return [warn(name, source, found, SET_LIMIT)]
  }
  const share = retainedBytes / limitBytes
  const found = `${kept} of ${formatSize(limitBytes)} kept (${Math.round(share * 100)} %), wal_status ${walStatus}`
  if (share < WARN_SHARE && walStatus !== 'unreserved') return [ok(name, source, found)]
  const { because, todo } = causeOf(retention)
  const raise = `To gain time: ALTER SYSTEM SET max_slot_wal_keep_size = '${Math.ceil((limitBytes * 2) / 1024 ** 2)}MB'; SELECT pg_reload_conf()`
  const isLate = share >= FAIL_SHARE || walStatus === 'unreserved'
  const tell = isLate ? fail : warn
  return [tell(name, source, `${found}: ${because}. Past the limit the slot is lost`, `${sentence(todo)}\n${raise}`)]
}

/** A transaction that is open for longer has mostly been forgotten. */
const TRANSACTION_SECONDS_MAX = 600

/** Whether an old transaction holds log back. Pure. @param seesOthers whether the role may see since when those of others are open */
export function decideTransactions(
  source: string,
  retention: Retention | undefined,
  { role, seesOthers }: { readonly role: string; readonly seesOthers: boolean },
): readonly Finding[] {
  const name = 'source-transactions'
  const oldest = retention?.oldestTransaction ?? null
  if (oldest === null) return [ok(name, source, 'none is open that has written something')]
  const who =
    oldest.pid === null ? `prepared, ${oldest.application}` : `server process ${oldest.pid} (${oldest.application})`
  if (oldest.ageSeconds === null) {
    const how = seesOthers ? 'the server does not say' : `role ${role} may not see: GRANT pg_monitor TO "${role}"`
    return [ok(name, source, `the oldest is of ${who}; for how long it has been open, ${how}`)]
  }
  const age = seconds(oldest.ageSeconds)
  if (oldest.ageSeconds < TRANSACTION_SECONDS_MAX)
    return [ok(name, source, `the oldest has been open for ${age}, of ${who}`)]
  const todo =
    oldest.pid === null
      ? 'SELECT gid, prepared, owner, database FROM pg_prepared_xacts\nthen, in that database: COMMIT PREPARED or ROLLBACK PREPARED'
      : `Ask whoever runs it. If it was forgotten: SELECT pg_terminate_backend(${oldest.pid})`
  return [warn(name, source, `a transaction of ${who} has been open for ${age}: the server keeps all log since`, todo)]
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
