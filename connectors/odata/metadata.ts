import { TributaryError } from '../../schemas/errors.ts'
import type { HttpAnswer } from '../http/client.ts'
import { LARGE_ANSWER_BYTES_MAX } from './destination.ts'
import type { ODataSession } from './session.ts'

/** Fetches `$metadata`, as text. @throws TributaryError, NoAnswer */
export async function fetchMetadata(session: ODataSession, system: string, signal: AbortSignal): Promise<string> {
  const answer: HttpAnswer = await session.send(
    {
      method: 'GET',
      path: '$metadata',
      headers: { accept: 'application/xml' },
      answerBytesMax: LARGE_ANSWER_BYTES_MAX,
    },
    signal,
  )
  if (answer.status === 200) return answer.body.toString('utf8')
  throw new TributaryError(
    answer.status >= 500 || answer.status === 429 ? 'destination-unreachable' : 'destination-unsuitable',
    `${system} gave no metadata: status ${answer.status}; check the address and the rights of the application`,
  )
}
