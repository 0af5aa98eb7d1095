import { z } from 'zod'
import { TributaryError } from '../../schemas/errors.ts'
import { openPool } from './connection.ts'
import { failure } from './failure.ts'

/**
 * What is asked of a running capture process. It reaches it as a transactional message in the log of the source's own database, so it has
 * a place among the changes, survives a restart of either side, and needs no way from whoever asks to the process.
 */
export const REQUEST_PREFIX = 'tributary'
/** The most bytes of one message. */
export const REQUEST_BYTES_MAX = 64 * 1024
export const REPLAY_KEYS_MAX = 500
const CONDITIONS_MAX = 20
const ID_CHARACTERS_MAX = 64
/** Above what a name, a key or a value of a condition may be; the message's bytes are the real bound. */
const TEXT_CHARACTERS_MAX = 8_192

const text = () => z.string().min(1).max(TEXT_CHARACTERS_MAX)
/** Every slot of the database decodes the message; only the capture of this one is meant. Without it, each that has the entity. */
const slot = () => z.string().min(1).max(63).optional()

const requestSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('replay'),
    slot: slot(),
    entity: text(),
    keys: z.array(z.string().max(TEXT_CHARACTERS_MAX)).min(1).max(REPLAY_KEYS_MAX),
  }),
  z.object({
    kind: z.literal('snapshot'),
    slot: slot(),
    id: z.string().min(1).max(ID_CHARACTERS_MAX),
    entity: text(),
    where: z
      .array(z.object({ field: text(), op: text(), value: z.string().max(TEXT_CHARACTERS_MAX) }))
      .max(CONDITIONS_MAX),
  }),
])

export type CaptureRequest = z.infer<typeof requestSchema>

/** A message that is no request. Anyone who may write to the database can send one, so it is reported and passed over. */
export interface InvalidRequest {
  readonly kind: 'invalid'
  /** Without anything of the message. */
  readonly problem: string
}

/** Reads the content of a message with the prefix {@link REQUEST_PREFIX}. Pure. */
export function parseRequest(content: Buffer): CaptureRequest | InvalidRequest {
  if (content.length > REQUEST_BYTES_MAX)
    return { kind: 'invalid', problem: `it has more than ${REQUEST_BYTES_MAX} bytes` }
  let json: unknown
  try {
    json = JSON.parse(content.toString())
  } catch {
    return { kind: 'invalid', problem: 'it is not JSON' }
  }
  const parsed = requestSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const place = parsed.error.issues[0]?.path.find((part) => typeof part === 'string')
  return { kind: 'invalid', problem: `its ${place ?? 'form'} is not that of a request` }
}

/**
 * The content of a message: JSON in ASCII, as the log holds it in the database's own encoding.
 * @throws TributaryError `invariant-broken` when it is beyond the bounds
 */
export function formatRequest(request: CaptureRequest): string {
  const content = asciiJson(request)
  const parsed = parseRequest(Buffer.from(content))
  if (parsed.kind === 'invalid')
    throw new TributaryError('invariant-broken', `a request for ${request.entity} cannot be sent: ${parsed.problem}`)
  return content
}

/** The requests that replay these keys, each within the bounds of a message. Pure. */
export function planReplays(forSlot: string, entity: string, keys: readonly string[]): readonly CaptureRequest[] {
  const empty = { kind: 'replay' as const, slot: forSlot, entity }
  const requests: CaptureRequest[] = []
  const headBytes = asciiJson({ ...empty, keys: [] }).length
  let part: string[] = []
  let bytes = headBytes
  for (const key of keys) {
    const keyBytes = asciiJson(key).length + 1
    if (part.length > 0 && (part.length === REPLAY_KEYS_MAX || bytes + keyBytes > REQUEST_BYTES_MAX)) {
      requests.push({ ...empty, keys: part })
      part = []
      bytes = headBytes
    }
    part.push(key)
    bytes += keyBytes
  }
  if (part.length > 0) requests.push({ ...empty, keys: part })
  return requests
}

/**
 * Writes requests to the log of the source's database, each in a transaction of its own.
 * @param source the source's name
 * @param onSent how many were written so far
 * @throws TributaryError `source-unreachable`, `source-unsuitable`; those before it were written
 */
export async function request(
  url: string,
  source: string,
  requests: readonly CaptureRequest[],
  onSent: (sent: number) => void = () => {},
): Promise<void> {
  const contents = requests.map(formatRequest)
  const sql = openPool(url, `tributary ${source} request`)
  try {
    for (const [index, content] of contents.entries()) {
      await sql`SELECT pg_logical_emit_message(true, ${REQUEST_PREFIX}, ${content}::text)`
      onSent(index + 1)
    }
  } catch (error) {
    throw failure(`sending a request to source "${source}"`, error)
  } finally {
    await sql.end({ timeout: CLOSE_WAIT_SECONDS })
  }
}

const CLOSE_WAIT_SECONDS = 2

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
