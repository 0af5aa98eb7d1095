import { randomBytes } from 'node:crypto'
import { openDestination, openLedger } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'

const TOKEN_BYTES = 8

/**
 * Makes the ledger of every subscriber begin now. While a ledger is younger than a lost request may take, every key that it does not know
 * counts as uncertain: it is sent in full, and sent again. In the demo nothing was ever sent before, so that time may as well pass while the
 * ERP is made.
 * @returns when it has passed for all of them, in ms since 1970
 */
export async function claimLedgers(environment: Environment): Promise<number> {
  const { entities, subscribers } = environment.declaration
  const claimed = [...subscribers.values()].map(async (subscriber) => {
    const destination = openDestination(subscriber)
    const ledger = openLedger(environment, destination)
    try {
      await ledger.connect()
      for (const { entity } of subscriber.mappings)
        for (let partition = 0; partition < entities.get(entity.name)!.partitions; partition++)
          await ledger.claim(
            { subscriber: subscriber.name, entity: entity.name, partition },
            randomBytes(TOKEN_BYTES).toString('hex'),
          )
      return Date.now() + destination.lateRequestMs
    } finally {
      ledger.close()
      await destination.close()
    }
  })
  return Math.max(...(await Promise.all(claimed)))
}
