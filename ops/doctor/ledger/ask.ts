import type { ClockReading } from '../../../connectors/postgres/checkup/checkup.ts'
import { openLedgerToLook } from '../../process/delivery.ts'
import type { Environment } from '../../process/environment.ts'
import { ask } from '../answer.ts'
import { areaOf, CHECK_NAMES } from '../checks.ts'
import { type Finding, failed, unasked } from '../finding.ts'
import { decideEviction, decideLedgerServer, decideMemory, decidePersistence } from './ledger.ts'

export interface LedgerLook {
  readonly findings: readonly Finding[]
  /** Null where Redis did not answer. */
  readonly clock: ClockReading | null
}

/** Asks Redis about itself. Changes nothing. */
export async function lookAtLedger(environment: Environment): Promise<LedgerLook> {
  const ledger = openLedgerToLook(environment)
  try {
    const answer = await ask(
      'ledger-unreachable',
      'Redis',
      ledger.connect().then(async () => {
        const state = await ledger.server()
        const sentMs = Date.now()
        const theirMs = await ledger.time()
        return { state, clock: { theirMs, sentMs, heardMs: Date.now() } }
      }),
    )
    if (answer.error) {
      const others = CHECK_NAMES.filter((name) => areaOf(name) === 'ledger' && name !== 'ledger-server')
      const rest = others.map((name) => unasked(name, 'redis', 'Redis does not answer'))
      return { findings: [failed('ledger-server', 'redis', answer.error), ...rest], clock: null }
    }
    const { state, clock } = answer.value
    const cli = commandLine(environment.declaration.redis.url)
    const findings = [
      decideLedgerServer(state, clock.heardMs),
      decideEviction(state, cli),
      decidePersistence(state, cli),
      decideMemory(state, cli),
    ]
    return { findings: findings.flat(), clock }
  } finally {
    ledger.close()
  }
}

/** Without user and password, which are asked for where they are needed. */
function commandLine(address: string): string {
  const { protocol, hostname, port, username } = new URL(address)
  const flags = [protocol === 'rediss:' ? ' --tls' : '', username === '' ? '' : ` --user ${username} --askpass`]
  return `redis-cli -h ${hostname} -p ${port || 6379}${flags.join('')}`
}
