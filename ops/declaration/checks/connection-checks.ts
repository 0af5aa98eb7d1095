import { parseDurationMs } from '../notation.ts'
import { type Path, shownName } from '../problem.ts'
import { isMapping, type Mapping, mappingOf, type Report, textOf } from './unchecked-values.ts'

/** Longer than this nobody waits for one answer; a consumer is held up as long. */
const TIMEOUT_MS_MAX = 600_000
const LATE_REQUEST_MS_MAX = 86_400_000
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/
/** What the client of requests, or their signature, says itself. */
const HEADERS_TAKEN =
  /^(?:tributary-.*|webhook-.*|idempotency-key|if-.*|content-.*|accept-encoding|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i

/** Checks how a subscriber is reached: what its options say together. */
export function checkConnection(path: Path, subscriber: Mapping, report: Report): void {
  const type = textOf(subscriber.type)
  checkTimes(path, subscriber, report)
  if (type === 'warehouse') return
  const url = textOf(subscriber.url)
  const allows = Array.isArray(subscriber.allowAddresses) && subscriber.allowAddresses.length > 0
  for (const field of ['url', 'tokenUrl'])
    if (textOf(subscriber[field])?.startsWith('http://') && !allows)
      report(
        [...path, field],
        'credentials and changes would travel unencrypted',
        'write `https://`; in a network of your own, name its addresses in `allowAddresses`',
      )
  if (type === 'shopify' && url !== undefined && /^https?:\/\/[^/]+\/./.test(url))
    report([...path, 'url'], 'must be the address of the store alone, without a path')
  if (['dataverse', 'finance-operations', 'business-central'].includes(type ?? ''))
    checkTenant(path, subscriber, report)
  if (type === 'http') checkHeaders([...path, 'headers'], mappingOf(subscriber.headers), report)
}

function checkTenant(path: Path, { tenant, tokenUrl }: Mapping, report: Report): void {
  if (tenant === undefined && tokenUrl === undefined)
    report(path, '`tenant` is missing', 'it is the tenant of Entra ID; or set `tokenUrl`', 'key')
  else if (tenant !== undefined && tokenUrl !== undefined)
    report([...path, 'tenant'], '`tenant` says nothing beside `tokenUrl`', 'remove one of them', 'key')
}

function checkTimes(path: Path, { timeout, lateRequest }: Mapping, report: Report): void {
  const timeoutMs = parseDurationMs(textOf(timeout) ?? '30s')
  const lateMs = parseDurationMs(textOf(lateRequest) ?? '')
  if (timeoutMs !== undefined && timeoutMs > TIMEOUT_MS_MAX) report([...path, 'timeout'], 'must be at most `10m`')
  if (lateMs !== undefined && lateMs > LATE_REQUEST_MS_MAX) report([...path, 'lateRequest'], 'must be at most `1d`')
  if (timeoutMs !== undefined && lateMs !== undefined && lateMs < timeoutMs)
    report(
      [...path, 'lateRequest'],
      'is shorter than `timeout`: a request could take effect when nobody counts with it any more',
      'leave it out for twice `timeout`',
    )
}

function checkHeaders(path: Path, headers: Mapping, report: Report): void {
  if (!isMapping(headers)) return
  const seen = new Set<string>()
  for (const name of Object.keys(headers)) {
    const at = [...path, name]
    if (!HEADER_NAME.test(name)) report(at, `${shownName(name)} is not the name of a header`, undefined, 'key')
    else if (HEADERS_TAKEN.test(name)) report(at, `${shownName(name)} is set by tributary`, 'remove it', 'key')
    else if (seen.has(name.toLowerCase())) report(at, `${shownName(name)} is there in another case`, 'keep one', 'key')
    seen.add(name.toLowerCase())
  }
}
