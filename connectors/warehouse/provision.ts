import { TributaryError } from '../../schemas/errors.ts'
import { readCatalogue } from './catalogue.ts'
import { type ProvisionPlan, planProvision } from './provision-plan.ts'
import type { Session } from './session.ts'
import { GUARD_TABLE, lockId, type Table } from './tables.ts'
import { transact } from './transaction.ts'

/**
 * The SQL that {@link provisionWarehouse} would run now.
 * @throws TributaryError `destination-unsuitable` naming everything that adding cannot set right
 * @throws TransactionFailed
 */
export function planWarehouse(
  session: Session,
  signal: AbortSignal,
  schema: string,
  tables: ReadonlyMap<string, Table>,
): Promise<readonly string[]> {
  return transact(session, signal, 'READ ONLY', async () => (await readPlan(session, schema, tables)).steps)
}

/** Makes what is missing, in one transaction. Of several at a time, one works and the others then find it done. */
export function provisionWarehouse(
  session: Session,
  signal: AbortSignal,
  schema: string,
  tables: ReadonlyMap<string, Table>,
): Promise<void> {
  return transact(session, signal, 'READ WRITE', async () => {
    await session.command(`SELECT pg_advisory_xact_lock(${lockId(schema, '')})`)
    const { steps } = await readPlan(session, schema, tables)
    for (const step of steps) await session.command(step)
  })
}

async function readPlan(session: Session, schema: string, tables: ReadonlyMap<string, Table>): Promise<ProvisionPlan> {
  const all = [...tables.values()]
  const names = [GUARD_TABLE, ...all.flatMap(({ target, archiveTarget }) => [target, archiveTarget])]
  const plan = planProvision(schema, all, await readCatalogue(session, schema, names))
  if (plan.problems.length > 0)
    throw new TributaryError(
      'destination-unsuitable',
      `the warehouse cannot be used:\n${plan.problems.map((problem) => `- ${problem}`).join('\n')}`,
    )
  return plan
}
