import { expect, test } from 'vitest'
import { address } from '../../../ops/demo/alone/address.ts'

test('an address that no variable and no file gives is told, without what the variables hold', () => {
  expect(() => address('ERP_URL', {})).toThrow(/ERP_URL is not set/)
  expect(() => address('ERP_URL', { ERP_URL_FILE: '/secret/of/mine' })).toThrow(
    expect.objectContaining({ code: 'environment-missing', message: expect.not.stringContaining('secret') }),
  )
  expect(address('WAREHOUSE_URL', { WAREHOUSE_URL: 'postgres://here/w' })).toBe('postgres://here/w')
})
