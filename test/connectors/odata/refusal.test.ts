import { expect, it } from 'vitest'
import { businessCentralRefusal } from '../../../connectors/business-central/refusals.ts'
import { errorOf, refusalOfStatus } from '../../../connectors/odata/refusal.ts'

const answer = (headers: Record<string, string>, body: object | string) =>
  errorOf({ status: 503, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) })

it('503 may come after a write was passed on, unless it asks for rest or the vendor says that nothing was done', () => {
  expect(refusalOfStatus(answer({}, 'upstream connect error'))).toBe('failed')
  expect(refusalOfStatus(answer({ 'retry-after': '5' }, ''))).toBe('throttled')
  expect(businessCentralRefusal(answer({}, { error: { code: 'Internal_TenantUnavailable', message: '' } }))).toBe(
    'down',
  )
})
