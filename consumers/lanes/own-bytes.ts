import type { Waiting } from './lanes.ts'

type Bytes = Pick<Waiting, 'value' | 'headers'>

/**
 * A record's value and headers in memory of their own. The library's are views of a whole fetch, and Node's small buffers share slabs;
 * either would be kept whole by the one record of it that waits, when those around it have long been let go.
 */
export function ownBytes({ value, headers }: Bytes): Bytes {
  let length = value?.length ?? 0
  for (const name in headers) length += headers[name]?.length ?? 0
  const bytes = Buffer.allocUnsafeSlow(length)
  let at = 0
  const own = (view: Buffer) => {
    const start = at
    at += view.copy(bytes, start)
    return bytes.subarray(start, at)
  }
  const ownValue = value === null ? null : own(value)
  const ownHeaders: Record<string, Buffer | string | undefined> = {}
  for (const name in headers) {
    const header = headers[name]
    // A header that is there twice comes as an array; no record of ours has one, and whoever reads it refuses it.
    ownHeaders[name] = Buffer.isBuffer(header) ? own(header) : header
  }
  return { value: ownValue, headers: ownHeaders }
}
