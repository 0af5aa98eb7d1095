/** Builds replication messages as the server sends them, for tests of the pure parts. */

const int16 = (value: number) => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int64 = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const text = (value: string) => Buffer.from(`${value}\0`)

/** A column's text, null, or undefined for a large value that did not change. */
export type Column = string | null | undefined

function tuple(columns: readonly Column[]): Buffer {
  return Buffer.concat([
    int16(columns.length),
    ...columns.map((column) =>
      column === null
        ? Buffer.from('n')
        : column === undefined
          ? Buffer.from('u')
          : Buffer.concat([Buffer.from('t'), int32(Buffer.byteLength(column)), Buffer.from(column)]),
    ),
  ])
}

export const begin = (commitLsn: bigint, xid = 7) =>
  Buffer.concat([Buffer.from('B'), int64(commitLsn), int64(0n), int32(xid)])
export const commit = (commitLsn: bigint, endLsn: bigint) =>
  Buffer.concat([Buffer.from('C'), Buffer.from([0]), int64(commitLsn), int64(endLsn), int64(0n)])
export const relation = (id: number, name: string, columns: readonly (readonly [string, number])[]) =>
  Buffer.concat([
    Buffer.from('R'),
    int32(id),
    text('public'),
    text(name),
    Buffer.from('f'),
    int16(columns.length),
    ...columns.map(([column, type]) => Buffer.concat([Buffer.from([1]), text(column), int32(type), int32(-1)])),
  ])
export const insert = (id: number, columns: readonly Column[]) =>
  Buffer.concat([Buffer.from('I'), int32(id), Buffer.from('N'), tuple(columns)])
export const update = (id: number, old: readonly Column[] | null, columns: readonly Column[], kind = 'O') =>
  Buffer.concat([
    Buffer.from('U'),
    int32(id),
    ...(old === null ? [] : [Buffer.from(kind), tuple(old)]),
    Buffer.from('N'),
    tuple(columns),
  ])
export const remove = (id: number, old: readonly Column[], kind = 'O') =>
  Buffer.concat([Buffer.from('D'), int32(id), Buffer.from(kind), tuple(old)])
export const truncate = (...ids: readonly number[]) =>
  Buffer.concat([Buffer.from('T'), int32(ids.length), Buffer.from([0]), ...ids.map(int32)])
export const origin = (name: string) => Buffer.concat([Buffer.from('O'), int64(0n), text(name)])
/** A transactional logical message. */
export const logical = (prefix: string, content: string) =>
  Buffer.concat([
    Buffer.from('M'),
    Buffer.from([1]),
    int64(0n),
    text(prefix),
    int32(Buffer.byteLength(content)),
    Buffer.from(content),
  ])

/** A message in the frame of the stream. */
export const walData = (message: Buffer) => Buffer.concat([Buffer.from('w'), Buffer.alloc(24), message])
export const keepAlive = (end: bigint) => Buffer.concat([Buffer.from('k'), int64(end), Buffer.alloc(9)])
