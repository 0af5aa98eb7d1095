import type { lookup as dnsLookup, LookupAddress } from 'node:dns'
import { describe, expect, it } from 'vitest'
import { AddressRefused, createAddressCheck, isAddressRange } from '../../../connectors/http/addresses.ts'

/** Looks every name up as these addresses. */
function resolving(...addresses: string[]): typeof dnsLookup {
  const answer = addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))
  const resolve = (_name: string, _options: unknown, callback: (error: null, found: LookupAddress[]) => void) =>
    callback(null, answer)
  return resolve as unknown as typeof dnsLookup
}

function lookUp(allowed: readonly string[], addresses: string[], all: boolean): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  createAddressCheck(allowed, resolving(...addresses)).lookup('crm.example', { all }, (error, found) => {
    if (error) reject(error)
    else resolve(found)
  })
  return promise
}

const CLOSED = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.9.9.9',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:a00:1',
  '::ffff:7f00:1',
  '::127.0.0.1',
  '64:ff9b::a00:1',
  '2002:a00:1::',
  'fd00::1',
  'fe80::1',
  'fe80::1%eth0',
  'ff02::1',
]
const OPEN = ['8.8.8.8', '172.15.0.1', '172.32.0.1', '192.169.0.1', '2606:4700::1', '::ffff:8.8.8.8', '::ffff:808:808']

describe('an address', () => {
  it.each(CLOSED)('%s is closed, as itself and as what a name leads to', async (address) => {
    expect(() => createAddressCheck([]).checkHost(address)).toThrow(AddressRefused)
    if (!address.includes('%')) expect(() => createAddressCheck([]).checkHost(`[${address}]`)).toThrow(AddressRefused)
    await expect(lookUp([], [address], false)).rejects.toThrow('crm.example is a private or reserved address')
  })

  it.each(OPEN)('%s is open', async (address) => {
    expect(() => createAddressCheck([]).checkHost(address)).not.toThrow()
    expect(await lookUp([], [address], false)).toBe(address)
  })

  it('is open when it was declared, alone or in a range, and its neighbours are not', () => {
    const check = createAddressCheck(['127.0.0.1', '10.8.0.0/16', 'fd00::/64'])
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '10.8.200.1', 'fd00::9'])
      expect(() => check.checkHost(address)).not.toThrow()
    for (const address of ['127.0.0.2', '10.9.0.1', 'fd00:0:0:1::9', '::1'])
      expect(() => check.checkHost(address)).toThrow(AddressRefused)
  })
})

describe('a name', () => {
  it('is closed when one of its addresses is, however many are open', async () => {
    await expect(lookUp([], ['8.8.8.8', '10.0.0.1'], true)).rejects.toThrow(AddressRefused)
    await expect(lookUp([], ['8.8.8.8', '10.0.0.1'], false)).rejects.toThrow(AddressRefused)
  })

  it('leads to exactly the addresses that were checked', async () => {
    expect(await lookUp([], ['8.8.8.8', '2606:4700::1'], true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ])
    await expect(lookUp([], [], true)).rejects.toThrow('has no address')
  })
})

it('an address or a range can be told from what is none', () => {
  for (const text of ['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8']) expect(isAddressRange(text)).toBe(true)
  for (const text of ['crm.example', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/8/8', '10.0.0.0/', ''])
    expect(isAddressRange(text)).toBe(false)
})
