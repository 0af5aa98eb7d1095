import type { Destination } from '../../connectors/destination.ts'
import { TributaryError } from '../../schemas/errors.ts'
import type { Declaration } from './declaration.ts'
import type { SubscriberExamination } from './report/subscribers.ts'
import type { DeclaredSubscriber } from './subscribers/declared.ts'

/**
 * Asks each subscriber whether its mappings fit what it has. Warehouses are left out: what they lack is made by `provision`.
 * @param open opens a destination; changes nothing there
 */
export async function examineSubscribers(
  { subscribers }: Declaration,
  open: (subscriber: DeclaredSubscriber) => Destination,
): Promise<readonly SubscriberExamination[]> {
  const asked = [...subscribers.values()].filter(({ type }) => type !== 'warehouse')
  return await Promise.all(asked.map((subscriber) => examine(subscriber, open)))
}

async function examine(
  subscriber: DeclaredSubscriber,
  open: (subscriber: DeclaredSubscriber) => Destination,
): Promise<SubscriberExamination> {
  const { name, type } = subscriber
  let destination: Destination | undefined
  try {
    destination = open(subscriber)
    return { name, type, unreachable: null, findings: await destination.plan() }
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    const isUnreachable = error.fate === 'retry'
    return {
      name,
      type,
      unreachable: isUnreachable ? error.message : null,
      findings: isUnreachable ? [] : [error.message],
    }
  } finally {
    await destination?.close()
  }
}
