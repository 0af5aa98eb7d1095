import { describe, expect, it } from 'vitest'
import { readPathTemplate } from '../../../connectors/http/request-path.ts'
import { formatKey } from '../../../schemas/key.ts'
import { customers } from './http-subject.ts'

const of = (target: string, parts: readonly string[]) => {
  const mapping = customers({ target })
  return readPathTemplate({ ...mapping, entity: { ...mapping.entity, key: parts.map((_, at) => `k${at}`) } }).of(
    formatKey(parts),
  )
}

describe('the path of an object', () => {
  it.each([
    ['/customers/{key}', ['1'], '/customers/1'],
    ['/customers/{0}', ['1'], '/customers/1'],
    ['customers', ['1'], '/customers/1'],
    ['/customers/c-{key}/profile', ['1'], '/customers/c-1/profile'],
    ['/companies/{0}/customers/{1}', ['usmf', '1'], '/companies/usmf/customers/1'],
    ['/customers/{1}/of/{0}', ['usmf', '1'], '/customers/1/of/usmf'],
    ['/customers/{key}', ['a', 'b'], '/customers/%5B%22a%22%2C%22b%22%5D'],
    ['/customers/{key}', ['a/b?c#d e'], '/customers/a%2Fb%3Fc%23d%20e'],
    ['/customers/{key}', ['%2f'], '/customers/%252f'],
    ['/customers/{key}', ['Zoë🦊'], '/customers/Zo%C3%AB%F0%9F%A6%8A'],
    ['/customers/{key}', ['...'], '/customers/...'],
    ['/customers/{key}', ['a..b'], '/customers/a..b'],
    ['/customers/c{key}', ['.x'], '/customers/c.x'],
  ])('of %s for %j is %s, and stays so when it is parsed', (target, parts, path) => {
    expect(of(target, parts)).toEqual({ ok: true, path })
    expect(new URL(`https://shop.example/base${path}`).pathname).toBe(`/base${path}`)
  })

  it.each([
    [''],
    ['.'],
    ['..'],
    ['../orders'],
    ['a/../../orders'],
    ['..\\orders'],
    ['%2e%2e'],
    ['%2E.'],
    ['..%2forders'],
    ['%252e%252e%255corders'],
    ['\ud800'],
  ])('does not exist for the key %j', (key) => {
    expect(of('/customers/{key}', [key])).toMatchObject({ ok: false, code: 'key-not-addressable' })
    expect(of('/companies/{0}/customers/{1}', ['usmf', key])).toMatchObject({ ok: false })
  })

  it('does not exist where template and key make dots together, or the key has other parts than its entity', () => {
    expect(of('/customers/.{key}', ['.'])).toMatchObject({ ok: false })
    const mapping = customers({ target: '/a/{0}/{1}' })
    const two = readPathTemplate({ ...mapping, entity: { ...mapping.entity, key: ['a', 'b'] } })
    for (const key of ['x', '["x"]', '["x","y","z"]', '[1,2]']) expect(two.of(key)).toMatchObject({ ok: false })
  })
})

describe('a target', () => {
  it.each([
    '/customers/{id}',
    '/customers/{key}/{key}',
    '/customers/{1}',
    '/customers/{key}?x=1',
    '/customers/{key}#x',
    '/customers//{key}',
    '/customers/{key}/',
    '/../{key}',
    '/a/./{key}',
    '/customers/{key}}',
    '/customers/{',
    '/cust omers/{key}',
  ])('%s is refused', (target) => {
    expect(() => readPathTemplate(customers({ target }))).toThrow(
      expect.objectContaining({ code: 'declaration-invalid' }),
    )
  })
})
