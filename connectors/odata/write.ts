import { TributaryError } from '../../schemas/errors.ts'
import type { EntityMapping, Outcome, Patch, Removal, Upsert } from '../destination.ts'
import { isObject, parseExact, writeObject } from '../exact-json.ts'
import { type HttpAnswer, NoAnswer, retryAfterMs, unanswered } from '../http/client.ts'
import type { Body, Dialect, Found, Member, Place } from './dialect.ts'
import { errorOf, type ODataError, type Refusal } from './refusal.ts'
import type { ODataRequest, ODataSession } from './session.ts'

/**
 * An ETag that was read later than this after a patch was handed over is not used. The patch may be one of an owner that was frozen in
 * between and has lost its keys meanwhile: its old values would go over newer ones, with the ETag of those. Below the shortest session
 * time-out of a Kafka group (6 s), so that nobody else can have got the key before.
 */
export const FRESH_MS = 5_000

const DEFAULT_AFTER_MS = 5_000

/** The tag of an object whose address is not its key: the address, a blank, the ETag. */
function tagOf(place: Place, found: Pick<Found, 'address' | 'etag'>): string {
  return place.address === null ? `${found.address} ${found.etag}` : found.etag
}

function readTag(place: Place, tag: string): Pick<Found, 'address' | 'etag'> | null {
  if (place.address !== null) return { address: place.address, etag: tag }
  const blank = tag.indexOf(' ')
  return blank > 0 ? { address: tag.slice(0, blank), etag: tag.slice(blank + 1) } : null
}

/**
 * Applies one patch: with the ETag that the ledger knows; where it knows none, with that of the object as it is now. Nothing is written
 * without a condition where the system compares ETags.
 * @param now of a monotonic clock, in milliseconds
 */
export async function writePatch(
  session: ODataSession,
  dialect: Dialect,
  mapping: EntityMapping,
  patch: Patch,
  signal: AbortSignal,
  now: () => number,
): Promise<Outcome> {
  if (patch.kind === 'delete' && mapping.onDelete === 'ignore') return { kind: 'unchanged' }
  if (typeof mapping.onDelete === 'object') return { kind: 'unavailable', error: conditional(dialect, mapping) }
  const write = new Write(session, dialect, mapping, signal, now)
  try {
    const body = patch.kind === 'upsert' ? dialect.body(mapping, patch.fields) : NOTHING
    if (!body.ok) return { kind: 'rejected', code: body.code, reason: body.reason }
    const place = dialect.place(mapping, patch.key)
    if ('ok' in place) return { kind: 'rejected', code: place.code, reason: place.reason }
    if (place.address === null) await dialect.prepare?.(mapping, signal)
    return patch.kind === 'upsert' ? await write.upsert(place, patch, body.members) : await write.remove(place, patch)
  } catch (error) {
    if (error instanceof Refused) return error.outcome
    // No token, or an address that leads elsewhere: nothing was sent.
    if (error instanceof TributaryError) return { kind: 'unavailable', error }
    // A question beside the write, which was not sent or was refused.
    if (error instanceof NoAnswer)
      return {
        kind: 'unavailable',
        error: new TributaryError('destination-unreachable', error.message, { cause: error }),
      }
    throw error
  }
}

function conditional({ system }: Dialect, { target }: EntityMapping): TributaryError {
  return new TributaryError(
    'destination-unsuitable',
    `${target}: a delete that depends on a condition cannot be carried out in ${system}; declare one policy`,
  )
}

const NOTHING: Body = { ok: true, members: [] }

/** The end of a patch before it could be written. */
class Refused extends Error {
  readonly outcome: Outcome

  constructor(outcome: Outcome) {
    super('a patch ended early')
    this.outcome = outcome
  }
}

class Write {
  private readonly session: ODataSession
  private readonly dialect: Dialect
  private readonly mapping: EntityMapping
  private readonly signal: AbortSignal
  private readonly now: () => number
  private readonly startedAt: number

  constructor(session: ODataSession, dialect: Dialect, mapping: EntityMapping, signal: AbortSignal, now: () => number) {
    this.session = session
    this.dialect = dialect
    this.mapping = mapping
    this.signal = signal
    this.now = now
    this.startedAt = now()
  }

  async upsert(place: Place, patch: Upsert, members: readonly Member[]): Promise<Outcome> {
    const known = patch.tag === null ? null : readTag(place, patch.tag)
    if (known) return await this.update(place, known, patch, members)
    if (!this.dialect.comparesTags && place.address !== null) return await this.unconditional(place, patch, members)
    const found = await this.findFresh(place)
    const soft = this.dialect.softDelete(this.mapping)
    if (found === null || (!patch.full && soft?.isMarked(found.row))) {
      if (!patch.full) return { kind: 'absent' }
      if (this.mapping.updateOnly) return this.objectMissing()
      return await this.create(place, patch, members)
    }
    const unmark = soft?.isMarked(found.row) ? soft.unmark : []
    return await this.update(place, found, patch, [...members, ...unmark])
  }

  async remove(place: Place, patch: Removal): Promise<Outcome> {
    const soft = this.dialect.softDelete(this.mapping)
    let known = patch.tag === null ? null : readTag(place, patch.tag)
    if (known === null && (this.dialect.comparesTags || place.address === null)) {
      const found = await this.findFresh(place)
      if (found === null) await this.confirmMissing()
      if (found === null || soft?.isMarked(found.row)) return { kind: 'unchanged' }
      known = found
    }
    const address = known?.address ?? place.address!
    // Where nothing is compared, a mark must still not make an object.
    const condition: Record<string, string> =
      known !== null && this.dialect.comparesTags ? { 'if-match': known.etag } : soft ? { 'if-match': '*' } : {}
    const answer = soft
      ? await this.send(this.patchRequest(address, soft.mark, condition))
      : await this.send({ method: 'DELETE', path: `${address}${this.query('DELETE')}`, headers: condition })
    if (isDone(answer)) return soft ? this.applied(place, address, answer) : { kind: 'applied' }
    const error = errorOf(answer)
    const refusal = this.dialect.refusalOf(error, soft ? 'update' : 'delete')
    if (refusal !== 'missing') return this.outcomeOf(refusal, error, answer, true)
    await this.confirmMissing()
    return { kind: 'applied' }
  }

  private async update(
    place: Place,
    known: Pick<Found, 'address' | 'etag'>,
    patch: Upsert,
    members: readonly Member[],
  ): Promise<Outcome> {
    const condition = { 'if-match': this.dialect.comparesTags ? known.etag : '*' }
    const answer = await this.send(this.patchRequest(known.address, members, condition))
    if (isDone(answer)) return this.applied(place, known.address, answer)
    const error = errorOf(answer)
    const refusal = this.dialect.refusalOf(error, 'update')
    if (refusal !== 'missing') return await this.refused(refusal, error, answer, patch)
    // Some systems answer the same for an object that is missing and for one that it refers to.
    if (this.refers(patch) && (await this.find(place)) !== null)
      return await this.refused('reference', error, answer, patch)
    if (!patch.full) return { kind: 'absent' }
    return this.mapping.updateOnly ? this.objectMissing() : { kind: 'conflict' }
  }

  private async create(place: Place, patch: Upsert, members: readonly Member[]): Promise<Outcome> {
    const request = place.create(members)
    const answer = await this.send(request)
    if (isDone(answer)) return this.applied(place, place.address, answer)
    const error = errorOf(answer)
    const refusal = this.dialect.refusalOf(error, 'create')
    if (refusal === 'missing')
      return await this.refused(this.refers(patch) ? 'reference' : 'everyone', error, answer, patch)
    // Either it was made meanwhile, or another object holds a value that only one may have.
    if (refusal === 'duplicate' || refusal === 'exists' || refusal === 'changed')
      return (await this.find(place)) === null
        ? await this.refused('duplicate', error, answer, patch)
        : { kind: 'conflict' }
    return await this.refused(refusal, error, answer, patch)
  }

  /** Where ETags are not compared: `If-Match: *` never makes an object, and without a condition one is made where it is missing. */
  private async unconditional(place: Place, patch: Upsert, members: readonly Member[]): Promise<Outcome> {
    const soft = this.dialect.softDelete(this.mapping)
    const mayMake = patch.full && !this.mapping.updateOnly
    const all = patch.full && soft ? [...members, ...soft.unmark] : members
    const answer = await this.send(this.patchRequest(place.address!, all, mayMake ? {} : { 'if-match': '*' }))
    if (isDone(answer)) return this.applied(place, place.address, answer)
    const error = errorOf(answer)
    const refusal = this.dialect.refusalOf(error, 'update')
    if (refusal !== 'missing') return await this.refused(refusal, error, answer, patch)
    if (this.refers(patch) && (mayMake || (await this.find(place)) !== null))
      return await this.refused('reference', error, answer, patch)
    return patch.full ? this.objectMissing() : { kind: 'absent' }
  }

  /** Looks for the object, for a write that goes by what is found. */
  private async findFresh(place: Place): Promise<Found | null> {
    const found = await this.find(place)
    if (this.now() - this.startedAt > FRESH_MS) throw new Refused({ kind: 'conflict' })
    return found
  }

  private async find(place: Place): Promise<Found | null> {
    const answer = await this.ask(place.find(this.dialect.findQuery(this.mapping)))
    if (answer.status === 200) return this.foundIn(place, answer)
    const error = errorOf(answer)
    const refusal = this.dialect.refusalOf(error, 'find')
    if (refusal === 'missing') return null
    throw new Refused(
      refusal === 'failed' || refusal === 'down'
        ? { kind: 'unavailable', error: this.said(error) }
        : this.outcomeOf(refusal, error, answer, false),
    )
  }

  /** Asks whether the set is there at all, where a 404 of one of its objects does not tell. */
  private async confirmMissing(): Promise<void> {
    const path = this.dialect.setPath?.(this.mapping)
    if (path === undefined) return
    const answer = await this.ask(path)
    const json = answer.status === 200 ? parseExact(answer.body.toString('utf8')) : undefined
    if (!isObject(json) || !Array.isArray(json.value))
      throw new Refused({ kind: 'unavailable', error: this.said(errorOf(answer)) })
  }

  private async ask(path: string): Promise<HttpAnswer> {
    try {
      return await this.session.send({ method: 'GET', path }, this.signal)
    } catch (error) {
      // Nothing is written by asking: whatever became of the question, the patch was not applied.
      if (error instanceof TributaryError) throw error
      const outcome = unanswered(error)
      throw new Refused(outcome.kind === 'unknown' ? { kind: 'unavailable', error: outcome.error } : outcome)
    }
  }

  private foundIn(place: Place, answer: HttpAnswer): Found | null {
    const json = parseExact(answer.body.toString('utf8'))
    const rows = isObject(json) && Array.isArray(json.value) ? json.value : [json]
    if (rows.length === 0) return null
    if (rows.length > 1)
      throw new Refused({
        kind: 'rejected',
        code: 'key-ambiguous',
        reason: `${this.dialect.system} has several ${this.mapping.target} of this key: leave one`,
      })
    const row = rows[0]
    if (!isObject(row)) throw new Refused({ kind: 'unavailable', error: this.strange() })
    if (!place.isIt(row))
      throw new Refused({
        kind: 'rejected',
        code: 'key-ambiguous',
        reason: `${this.dialect.system} takes this key for that of another of its ${this.mapping.target}: keys there differ by more than case or blanks`,
      })
    const etag = row['@odata.etag']
    const address = place.address ?? place.addressOf(row)
    if (typeof etag !== 'string' || address === null) throw new Refused({ kind: 'unavailable', error: this.strange() })
    return { address, etag, row }
  }

  private async refused(refusal: Refusal, error: ODataError, answer: HttpAnswer, patch: Upsert): Promise<Outcome> {
    if (refusal !== 'reference') return this.outcomeOf(refusal, error, answer, true)
    return {
      kind: 'blocked',
      by: await this.dialect.missingReference(this.mapping, patch.fields, this.signal),
      code: 'reference-missing',
      reason: `an object that it refers to is not in ${this.dialect.system} yet`,
    }
  }

  private outcomeOf(refusal: Refusal, error: ODataError, answer: HttpAnswer, wrote: boolean): Outcome {
    const { system } = this.dialect
    switch (refusal) {
      case 'changed':
      case 'exists':
        return { kind: 'conflict' }
      case 'duplicate':
        return {
          kind: 'blocked',
          by: '',
          code: 'duplicate',
          reason: `another object in ${system} holds a value that only one may have${coded(error)}`,
        }
      case 'throttled':
        return { kind: 'throttled', afterMs: retryAfterMs(answer.headers, DEFAULT_AFTER_MS) }
      case 'failed':
        return { kind: wrote ? 'unknown' : 'unavailable', error: this.said(error) }
      case 'down':
      case 'everyone':
        return { kind: 'unavailable', error: this.said(error) }
      case 'missing':
      case 'reference':
      case 'record':
        return {
          kind: 'rejected',
          code: error.code === '' ? `http-${error.status}` : error.code,
          reason: `${system} refuses the record: status ${error.status}${coded(error)}`,
        }
    }
  }

  /** @param address null for an object that was made and whose address its system chose */
  private applied(place: Place, address: string | null, answer: HttpAnswer): Outcome {
    const json = answer.body.length > 0 ? parseExact(answer.body.toString('utf8')) : undefined
    const row = isObject(json) ? json : undefined
    const etag = row?.['@odata.etag'] ?? answer.headers.etag
    const at = address ?? (row && place.addressOf(row)) ?? null
    if (typeof etag !== 'string' || at === null) return { kind: 'applied' }
    return { kind: 'applied', tag: tagOf(place, { address: at, etag }) }
  }

  private patchRequest(
    address: string,
    members: readonly Member[],
    condition: Readonly<Record<string, string>>,
  ): ODataRequest {
    return {
      method: 'PATCH',
      path: `${address}${this.query('PATCH')}`,
      headers: { prefer: 'return=representation', ...condition },
      body: writeObject(members),
    }
  }

  private query(method: 'POST' | 'PATCH' | 'DELETE'): string {
    return this.dialect.writeQuery(this.mapping, method)
  }

  private async send(request: ODataRequest): Promise<HttpAnswer> {
    try {
      return await this.session.send(request, this.signal)
    } catch (error) {
      if (error instanceof TributaryError) throw error
      throw new Refused(unanswered(error))
    }
  }

  private refers({ fields }: Upsert): boolean {
    return Object.keys(this.mapping.lookups).some((field) => fields[field] !== undefined && fields[field] !== null)
  }

  private objectMissing(): Outcome {
    const { system } = this.dialect
    return {
      kind: 'blocked',
      by: '',
      code: 'object-missing',
      reason: `${system} has no such object in ${this.mapping.target}, and none is made`,
    }
  }

  private said(error: ODataError): TributaryError {
    const { status } = error
    const isRefusal = status < 500 && status !== 408
    return new TributaryError(
      isRefusal ? 'destination-unsuitable' : 'destination-unreachable',
      isRefusal
        ? `${this.dialect.system} refuses requests for ${this.mapping.target}: status ${status}${coded(error)}; run \`tributary validate\`, and check the rights of the application user`
        : `${this.dialect.system} failed: status ${status}${coded(error)}`,
    )
  }

  private strange(): TributaryError {
    return new TributaryError(
      'destination-unsuitable',
      `${this.dialect.system} answers for ${this.mapping.target} with something that is no row with an ETag`,
    )
  }
}

function isDone({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300
}

function coded({ code }: ODataError): string {
  return code === '' ? '' : `, code ${code}`
}
