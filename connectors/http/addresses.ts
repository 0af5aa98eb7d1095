import { lookup as resolveName } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** Ranges that no request leaves for unless the declaration allows it: private, local, reserved, and documentation ones. */
const RANGES_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** 64:ff9b::/96 and 2002::/16 carry an IPv4 address that a gateway would go on to. */
const RANGES_V6 = [
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
]

const CLOSED = blockList([...RANGES_V4, ...RANGES_V6])
/** How a system writes an IPv4 address in IPv6 form. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** A request was not sent, because the address it would have gone to is closed to it. */
export class AddressRefused extends Error {
  constructor(host: string) {
    super(`${host} is a private or reserved address; name it in \`allowAddresses\` if it is meant`)
    this.name = 'AddressRefused'
  }
}

/** Whether an address or a range such as `10.0.0.0/8` can be read. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
}

export interface AddressCheck {
  /** @throws AddressRefused when the host is an address, and closed */
  checkHost(host: string): void
  /** Resolves a name for a connection, and fails with AddressRefused when any of its addresses is closed: asked for every connection. */
  readonly lookup: LookupFunction
}

/**
 * @param allowed addresses and ranges that are open although they are private
 * @param resolve what looks names up, as `dns.lookup` does
 */
export function createAddressCheck(
  allowed: readonly string[],
  resolve: typeof resolveName = resolveName,
): AddressCheck {
  const open = blockList(allowed)
  const isOpen = (address: string) => {
    // Without the zone of a link-local address, which no list can read.
    const bare = address.replace(/%.*$/, '')
    const plain = MAPPED.exec(bare)?.[1] ?? bare
    const family = isIP(plain) === 4 ? 'ipv4' : 'ipv6'
    return open.check(plain, family) || !CLOSED.check(plain, family)
  }
  return {
    checkHost(host) {
      const address = host.replace(/^\[(.*)\]$/, '$1')
      if (isIP(address) !== 0 && !isOpen(address)) throw new AddressRefused(host)
    },
    lookup(host, options, callback) {
      resolve(host, { ...options, all: true }, (error, addresses) => {
        if (error) return callback(error, '')
        if (addresses.length === 0) return callback(new Error(`${host} has no address`), '')
        // One closed address among open ones is how a name is turned against who asks for it.
        if (addresses.some(({ address }) => !isOpen(address))) return callback(new AddressRefused(host), '')
        if (options.all) return callback(null, addresses)
        callback(null, addresses[0]!.address, addresses[0]!.family)
      })
    },
  }
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address, prefix] = range.split('/') as [string, string | undefined]
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}
