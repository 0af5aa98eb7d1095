import type { RawRow } from '../connection.ts'

const TAB = 0x09
const NEWLINE = 0x0a
const BACKSLASH = 0x5c
const CAPITAL_N = 0x4e
/** From here on a column is not copied to have its escapes replaced. */
const LARGE_COLUMN_BYTES = 65_536

/** What a letter after a backslash stands for; any other character stands for itself. */
const ESCAPES: Readonly<Record<number, number>> = {
  98: 0x08, // \b
  102: 0x0c, // \f
  110: 0x0a, // \n
  114: 0x0d, // \r
  116: 0x09, // \t
  118: 0x0b, // \v
}

/**
 * The columns of one row in COPY's text format, without its newline: "COPY, Text Format" of PostgreSQL's manual, as the server writes it
 * (it never writes octal or hexadecimal escapes). Columns without escapes share the row's memory, and so do large ones, whose escapes are
 * replaced in place: the row must not be read again.
 */
export function parseCopyRow(row: Buffer): RawRow {
  const columns: (Buffer | null)[] = []
  let backslash = nextEscape(row, 0)
  for (let start = 0; ; ) {
    const tab = row.indexOf(TAB, start)
    const end = tab < 0 ? row.length : tab
    if (backslash >= end) columns.push(row.subarray(start, end))
    else {
      columns.push(end - start === 2 && row[start + 1] === CAPITAL_N ? null : unescaped(row, start, end, backslash))
      backslash = nextEscape(row, end)
    }
    if (tab < 0) return columns
    start = end + 1
  }
}

/** Where the next backslash is; the end of the row when there is none. */
function nextEscape(row: Buffer, from: number): number {
  const at = row.indexOf(BACKSLASH, from)
  return at < 0 ? row.length : at
}

function unescaped(row: Buffer, start: number, end: number, first: number): Buffer {
  const isLarge = end - start >= LARGE_COLUMN_BYTES
  // Bytes begin with their only escape: what follows its backslash is the value.
  if (isLarge && first === start && row[start + 1] === BACKSLASH && nextEscape(row, start + 2) >= end)
    return row.subarray(start + 1, end)
  // A value is never longer than its text, so it can take its place.
  const out = isLarge ? row.subarray(start, end) : Buffer.allocUnsafe(end - start)
  let length = 0
  let from = start
  for (let at = first; at < end; at = nextEscape(row, from)) {
    length += row.copy(out, length, from, at)
    const letter = row[at + 1]!
    out[length++] = ESCAPES[letter] ?? letter
    from = at + 2
  }
  length += row.copy(out, length, from, end)
  return out.subarray(0, length)
}

/** Puts pieces of COPY's text together to rows. Holds no more than the row that is incomplete. */
export interface CopyRows {
  /** Appends the rows that `piece` completes. */
  push(piece: Buffer, out: RawRow[]): void
  /** Bytes of the row that is incomplete; 0 between rows, as at the end of a COPY. */
  pendingBytes(): number
}

export function createCopyRows(): CopyRows {
  let pending: Buffer[] = []
  let pendingBytes = 0
  return {
    push(piece, out) {
      let start = 0
      // Data has its newlines escaped, so each ends a row.
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        if (pendingBytes > 0) {
          pending.push(piece.subarray(0, end))
          const whole = Buffer.concat(pending)
          pending = []
          pendingBytes = 0
          out.push(parseCopyRow(whole))
        } else out.push(parseCopyRow(piece.subarray(start, end)))
        start = end + 1
        if (start === piece.length) return
      }
      pending.push(piece.subarray(start))
      pendingBytes += piece.length - start
    },
    pendingBytes: () => pendingBytes,
  }
}
