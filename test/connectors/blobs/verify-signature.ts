import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
const CLOCK_MS = 15 * 60_000
const REQUIRED = ['host', 'x-amz-content-sha256', 'x-amz-date']

/**
 * Whether a request is signed as "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)" in the Amazon S3 API
 * reference says. Written from that page alone, as a second opinion on what signs ours.
 */
export function isSigned(request: IncomingMessage, key: string, secret: string, nowMs: number): boolean {
  const { headers, method, url } = request
  const [, id, day, region, names, signature] = FORM.exec(String(headers.authorization)) ?? []
  if (id !== key) return false
  const signed = names!.split(';')
  if (REQUIRED.some((name) => !signed.includes(name)) || signed.toSorted().join(';') !== names) return false
  const date = String(headers['x-amz-date'])
  if (!date.startsWith(day!) || Math.abs(timeOf(date) - nowMs) > CLOCK_MS) return false
  const { pathname, searchParams } = new URL(url!, 'http://host')
  const query = [...searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`).sort()
  const canonical = [
    method,
    pathname,
    query.join('&'),
    ...signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    names,
    headers['x-amz-content-sha256'],
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const keyOf = (parts: readonly string[]) =>
    parts.reduce<Buffer | string>((from, part) => hmac(from, part), `AWS4${secret}`)
  return hmac(keyOf([day!, region!, 's3', 'aws4_request']), text).toString('hex') === signature
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** All but the unreserved characters of RFC 3986. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** `20260102T030405Z` */
function timeOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
