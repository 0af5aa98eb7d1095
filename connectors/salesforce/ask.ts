import { TributaryError } from '../../schemas/errors.ts'
import type { Outcome } from '../destination.ts'
import type { Json } from '../exact-json.ts'
import { type HttpAnswer, type HttpRequest, unanswered } from '../http/client.ts'
import { verdictOf } from './answers.ts'
import type { Session } from './session.ts'
import { unavailable } from './vendor-errors.ts'

export interface Sent {
  readonly method: HttpRequest['method']
  readonly path: string
  readonly body: string | null
}

/** Sends a request; what became of it when no answer came. */
export type Asker = (sent: Sent) => Promise<HttpAnswer | Outcome>

export function createAsker(session: Session, signal: AbortSignal): Asker {
  return async ({ method, path, body }) => {
    try {
      signal.throwIfAborted()
    } catch (error) {
      return {
        kind: 'unavailable',
        error: new TributaryError('destination-unreachable', 'it was called off', { cause: error }),
      }
    }
    try {
      return await session.send(method, path, body, signal)
    } catch (error) {
      if (error instanceof TributaryError) return { kind: 'unavailable', error }
      return unanswered(error)
    }
  }
}

export type FoundRecord = Readonly<Record<string, Json>>

/** Reads all pages of a query. @returns what went wrong: never `unknown`, as nothing was changed; null for nothing */
export async function eachFound(
  ask: Asker,
  firstPath: string,
  take: (record: FoundRecord) => void,
): Promise<Outcome | null> {
  let path: string | null = firstPath
  while (path !== null) {
    const page = await ask({ method: 'GET', path, body: null })
    const read = readPage(page)
    if ('kind' in read) return read
    for (const record of read.records) take(record)
    path = read.next
  }
  return null
}

/** A page of a query's answer, or what went wrong. */
export function readPage(
  answer: HttpAnswer | Outcome,
): { readonly records: readonly FoundRecord[]; readonly next: string | null } | Outcome {
  if ('kind' in answer) return answer.kind === 'unknown' ? { kind: 'unavailable', error: answer.error } : answer
  const verdict = verdictOf(answer)
  if (verdict.kind === 'all')
    return verdict.outcome.kind === 'unknown' ? { kind: 'unavailable', error: verdict.outcome.error } : verdict.outcome
  if (verdict.kind === 'refused')
    return {
      kind: 'unavailable',
      error: new TributaryError(
        'destination-unsuitable',
        `Salesforce refuses a query (${verdict.errors[0]?.code}): an object, a field or a right is missing; \`tributary provision\` says which`,
      ),
    }
  const { records, nextRecordsUrl } = (verdict.body ?? {}) as { records?: Json; nextRecordsUrl?: Json }
  if (!Array.isArray(records))
    return { kind: 'unavailable', error: unavailable('Salesforce answers a query without records') }
  const isPath = typeof nextRecordsUrl === 'string' && nextRecordsUrl.startsWith('/services/data/')
  return { records: records as readonly FoundRecord[], next: isPath ? nextRecordsUrl : null }
}
