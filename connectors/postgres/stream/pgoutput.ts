import { TributaryError } from '../../../schemas/errors.ts'

/** PostgreSQL allows 1600 columns in a table; a tuple may carry a few more. */
const COLUMNS_MAX = 1664

/** The kind of a column in a tuple, as on the wire. */
export const NULL = 0x6e
export const UNCHANGED = 0x75
export const TEXT = 0x74

/**
 * The columns of one row, as ranges of the message's bytes: nothing is copied before it is needed.
 * `starts[i]` to `ends[i]` is column i's text when `kinds[i]` is {@link TEXT}.
 */
export interface Tuple {
  count: number
  readonly kinds: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

export interface RelationColumn {
  /** Whether the column is part of the replica identity. */
  readonly identity: boolean
  readonly name: string
  readonly typeOid: number
}

export interface RelationMessage {
  readonly kind: 'relation'
  readonly id: number
  readonly schema: string
  readonly name: string
  readonly columns: readonly RelationColumn[]
}

/** An insert, update or delete. `old` holds what the replica identity gives: all of the row (`full`) or its identity columns. */
export interface RowMessage {
  kind: 'row'
  op: 'insert' | 'update' | 'delete'
  relation: number
  bytes: Buffer
  oldKind: 'full' | 'key' | null
  readonly old: Tuple
  readonly new: Tuple
}

export interface BeginMessage {
  readonly kind: 'begin'
  /** Where the transaction's commit record starts. */
  readonly commitLsn: bigint
  /** Microseconds since 1970-01-01 UTC. */
  readonly committedAt: bigint
  readonly xid: number
}

export interface CommitMessage {
  readonly kind: 'commit'
  /** Where the commit record ends: the position to acknowledge. */
  readonly endLsn: bigint
}

export interface TruncateMessage {
  readonly kind: 'truncate'
  readonly relations: readonly number[]
}

/** A logical decoding message, written with `pg_logical_emit_message`. */
export interface LogicalMessage {
  readonly kind: 'message'
  /** Whether it stands in its transaction's place; else it comes as soon as it was read. */
  readonly transactional: boolean
  readonly lsn: bigint
  readonly prefix: string
  readonly content: Buffer
}

export type Message =
  | BeginMessage
  | CommitMessage
  | RelationMessage
  | RowMessage
  | TruncateMessage
  | LogicalMessage
  | { readonly kind: 'origin'; readonly name: string }
  /** A type's name: nothing that capture needs. */
  | { readonly kind: 'other' }

/** Microseconds between 1970-01-01 and 2000-01-01, which PostgreSQL counts from. */
export const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n

const OTHER: Message = { kind: 'other' }

/**
 * Makes a decoder of pgoutput messages (protocol version 1, text format), as PostgreSQL's manual describes them in
 * "Logical Replication Message Formats". One decoder per connection.
 *
 * The returned function takes the bytes and where the message starts in them; the message must fill the rest. A row message and its
 * tuples are the same objects at every call, so they must be used up before the next: a row costs no garbage of its own.
 * @throws TributaryError `invariant-broken` when the bytes are not such a message
 */
export function createDecoder(): (bytes: Buffer, start: number) => Message {
  const row: RowMessage = {
    kind: 'row',
    op: 'insert',
    relation: 0,
    bytes: Buffer.alloc(0),
    oldKind: null,
    old: emptyTuple(),
    new: emptyTuple(),
  }
  return (bytes, start) => {
    try {
      return decode(bytes, start, row)
    } catch (error) {
      if (error instanceof TributaryError) throw error
      // Buffer reads check their bounds: a read past the end is a message that was cut off.
      throw malformed(bytes[start], 'it ends too early', error)
    }
  }
}

function emptyTuple(): Tuple {
  return {
    count: 0,
    kinds: new Uint8Array(COLUMNS_MAX),
    starts: new Int32Array(COLUMNS_MAX),
    ends: new Int32Array(COLUMNS_MAX),
  }
}

function decode(bytes: Buffer, start: number, row: RowMessage): Message {
  switch (bytes[start]) {
    case 0x55: // U
      return finishRow(bytes, decodeUpdate(bytes, start, row), row)
    case 0x49: // I
      return finishRow(bytes, decodeInsert(bytes, start, row), row)
    case 0x44: // D
      return finishRow(bytes, decodeDelete(bytes, start, row), row)
    case 0x42: // B
      return finish(bytes, start, start + 21, {
        kind: 'begin',
        commitLsn: bytes.readBigUInt64BE(start + 1),
        committedAt: bytes.readBigInt64BE(start + 9) + POSTGRES_EPOCH_MICROS,
        xid: bytes.readUInt32BE(start + 17),
      })
    case 0x43: // C
      return finish(bytes, start, start + 26, { kind: 'commit', endLsn: bytes.readBigUInt64BE(start + 10) })
    case 0x52: // R
      return decodeRelation(bytes, start)
    case 0x54: // T
      return decodeTruncate(bytes, start)
    case 0x4f: {
      // O
      const end = textEnd(bytes, start + 9)
      return finish(bytes, start, end + 1, { kind: 'origin', name: bytes.toString('utf8', start + 9, end) })
    }
    case 0x4d: // M
      return decodeMessage(bytes, start)
    case 0x59: // Y
      return OTHER
    default:
      throw malformed(bytes[start], 'its kind is unknown')
  }
}

function decodeInsert(bytes: Buffer, start: number, row: RowMessage): number {
  row.op = 'insert'
  row.relation = bytes.readUInt32BE(start + 1)
  row.oldKind = null
  if (bytes[start + 5] !== 0x4e) throw malformed(bytes[start], 'it has no new row')
  return decodeTuple(bytes, start + 6, row.new)
}

function decodeUpdate(bytes: Buffer, start: number, row: RowMessage): number {
  row.op = 'update'
  row.relation = bytes.readUInt32BE(start + 1)
  let at = start + 5
  const kind = bytes[at]
  if (kind === 0x4f || kind === 0x4b) {
    row.oldKind = kind === 0x4f ? 'full' : 'key'
    at = decodeTuple(bytes, at + 1, row.old)
  } else row.oldKind = null
  if (bytes[at] !== 0x4e) throw malformed(bytes[start], 'it has no new row')
  return decodeTuple(bytes, at + 1, row.new)
}

function decodeDelete(bytes: Buffer, start: number, row: RowMessage): number {
  row.op = 'delete'
  row.relation = bytes.readUInt32BE(start + 1)
  const kind = bytes[start + 5]
  if (kind !== 0x4f && kind !== 0x4b) throw malformed(bytes[start], 'it has no old row')
  row.oldKind = kind === 0x4f ? 'full' : 'key'
  return decodeTuple(bytes, start + 6, row.old)
}

/** @returns where the tuple ends */
function decodeTuple(bytes: Buffer, start: number, tuple: Tuple): number {
  const count = bytes.readUInt16BE(start)
  if (count > COLUMNS_MAX) throw malformed(undefined, `a row of ${count} columns`)
  tuple.count = count
  let at = start + 2
  const limit = bytes.length
  for (let column = 0; column < count; column++) {
    const kind = bytes[at]
    if (kind === TEXT) {
      const length = bytes.readInt32BE(at + 1)
      const from = at + 5
      at = from + length
      if (length < 0 || at > limit) throw malformed(undefined, `a column of ${length} bytes`)
      tuple.kinds[column] = TEXT
      tuple.starts[column] = from
      tuple.ends[column] = at
    } else if (kind === NULL || kind === UNCHANGED) {
      tuple.kinds[column] = kind
      tuple.starts[column] = at
      tuple.ends[column] = at
      at++
    } else throw malformed(undefined, `a column of kind ${kind}`)
  }
  return at
}

function finishRow(bytes: Buffer, end: number, row: RowMessage): RowMessage {
  if (end !== bytes.length) throw malformed(undefined, `${bytes.length - end} bytes after its row`)
  row.bytes = bytes
  return row
}

function decodeRelation(bytes: Buffer, start: number): RelationMessage {
  const id = bytes.readUInt32BE(start + 1)
  const schemaEnd = textEnd(bytes, start + 5)
  const nameEnd = textEnd(bytes, schemaEnd + 1)
  const count = bytes.readUInt16BE(nameEnd + 2)
  if (count > COLUMNS_MAX) throw malformed(bytes[start], `a table of ${count} columns`)
  const columns: RelationColumn[] = []
  let at = nameEnd + 4
  for (let column = 0; column < count; column++) {
    const end = textEnd(bytes, at + 1)
    columns.push({
      identity: (bytes.readUInt8(at) & 1) === 1,
      name: bytes.toString('utf8', at + 1, end),
      typeOid: bytes.readUInt32BE(end + 1),
    })
    at = end + 9
  }
  return finish(bytes, start, at, {
    kind: 'relation',
    id,
    // The server sends an empty name for pg_catalog.
    schema: bytes.toString('utf8', start + 5, schemaEnd) || 'pg_catalog',
    name: bytes.toString('utf8', schemaEnd + 1, nameEnd),
    columns,
  })
}

function decodeTruncate(bytes: Buffer, start: number): TruncateMessage {
  const count = bytes.readUInt32BE(start + 1)
  if (bytes.length !== start + 6 + count * 4) throw malformed(bytes[start], `it does not hold ${count} tables`)
  const relations: number[] = []
  for (let index = 0; index < count; index++) relations.push(bytes.readUInt32BE(start + 6 + index * 4))
  return { kind: 'truncate', relations }
}

function decodeMessage(bytes: Buffer, start: number): LogicalMessage {
  const prefixEnd = textEnd(bytes, start + 10)
  const length = bytes.readUInt32BE(prefixEnd + 1)
  return finish(bytes, start, prefixEnd + 5 + length, {
    kind: 'message',
    transactional: (bytes.readUInt8(start + 1) & 1) === 1,
    lsn: bytes.readBigUInt64BE(start + 2),
    prefix: bytes.toString('utf8', start + 10, prefixEnd),
    content: bytes.subarray(prefixEnd + 5),
  })
}

function finish<M>(bytes: Buffer, start: number, end: number, message: M): M {
  if (end !== bytes.length) throw malformed(bytes[start], `it is ${bytes.length - start} bytes, not ${end - start}`)
  return message
}

function textEnd(bytes: Buffer, start: number): number {
  const end = bytes.indexOf(0, start)
  if (end < 0) throw malformed(undefined, 'a name does not end')
  return end
}

function malformed(kind: number | undefined, what: string, cause?: unknown): TributaryError {
  const name = kind === undefined ? '' : ` of kind ${String.fromCharCode(kind)}`
  return new TributaryError(
    'invariant-broken',
    `PostgreSQL sent a replication message${name} that cannot be read: ${what}`,
    {
      cause,
    },
  )
}
