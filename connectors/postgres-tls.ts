import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { TributaryError } from '../schemas/errors.ts'
import { tlsOptions } from '../schemas/tls.ts'
import { readTls } from './tls-files.ts'

/** What is wrong with how an address asks for TLS, and what would be right. */
export interface SslModeFault {
  readonly fault: string
  readonly suggestion: string
}

/** The parameters of libpq that are about TLS. The `postgres` package would send those that it does not know to the server. */
const PARAMETERS = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey'] as const

/**
 * Whether an address asks for TLS as it should: `sslmode=verify-full`, or not at all. What encrypts without asking who is at the other end
 * (`require`), or gives in (`prefer`), looks safe and is not. Pure; shows nothing of the address.
 */
export function sslModeFault(url: string): SslModeFault | undefined {
  const { parameters } = splitAddress(url)
  const mode = parameters.get('sslmode') ?? parameters.get('ssl') ?? 'disable'
  const files = ['sslrootcert', 'sslcert', 'sslkey'].filter((name) => parameters.has(name))
  if (mode !== 'verify-full' && mode !== 'disable' && mode !== 'false')
    return {
      fault: 'asks for TLS without a check of the server',
      suggestion: 'write `sslmode=verify-full`, and `sslrootcert=<file>` for an authority of your own',
    }
  if (mode !== 'verify-full' && files.length > 0)
    return {
      fault: `has ${files.map((name) => `\`${name}\``).join(', ')} without TLS`,
      suggestion: 'add `sslmode=verify-full`',
    }
  if (parameters.has('sslcert') !== parameters.has('sslkey'))
    return { fault: 'has one of `sslcert` and `sslkey`', suggestion: 'give both, or none' }
  return undefined
}

export interface PostgresAddress {
  /** Without what is about TLS. */
  readonly url: string
  /** For the `postgres` package. */
  readonly ssl: false | object
}

/**
 * An address as the `postgres` package takes it. The files are read each time, so that a renewed one counts from the next connection on.
 * @param what whose address it is, for messages, such as `the url of a postgres source`
 * @throws TributaryError `declaration-invalid` where {@link sslModeFault} finds something, `environment-missing` for a file
 */
export function withTls(url: string, what: string): PostgresAddress {
  const fault = sslModeFault(url)
  if (fault !== undefined)
    throw new TributaryError('declaration-invalid', `${what} ${fault.fault}: ${fault.suggestion}`)
  const { base, parameters } = splitAddress(url)
  const isSecure = (parameters.get('sslmode') ?? parameters.get('ssl')) === 'verify-full'
  const authority = parameters.get('sslrootcert')
  const files = {
    ca: authority === 'system' ? undefined : (authority ?? undefined),
    cert: parameters.get('sslcert') ?? undefined,
    key: parameters.get('sslkey') ?? undefined,
  }
  for (const name of PARAMETERS) parameters.delete(name)
  const rest = parameters.toString()
  const plain = rest === '' ? base : `${base}?${rest}`
  if (!isSecure) return { url: plain, ssl: false }
  const material = readTls(files, (name) => `\`${LIBPQ[name]}\` of ${what}`)
  return { url: plain, ssl: { ...tlsOptions(material), checkServerIdentity: identityOf(hostsOf(base)) } }
}

const LIBPQ = { ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' } as const

/** For messages: where the authority of a server's certificate is named. */
export const POSTGRES_TLS_FIELDS = {
  ca: '`sslrootcert` of its url',
  client: '`sslcert` and `sslkey` in its url',
} as const

/** The package names the host to `node:tls` only where it is no IP address; for one, the name that Node falls back to is `localhost`. */
function identityOf(hosts: readonly string[]) {
  const addresses = hosts.filter((host) => isIP(host) !== 0)
  return (name: string, certificate: PeerCertificate): Error | undefined => {
    if (addresses.length === 0 || (hosts.includes(name) && isIP(name) === 0))
      return checkServerIdentity(name, certificate)
    const faults = addresses.map((address) => checkServerIdentity(address, certificate))
    return faults.some((fault) => fault === undefined) ? undefined : faults[0]
  }
}

function splitAddress(url: string): { readonly base: string; readonly parameters: URLSearchParams } {
  // Not by URL: an address may name several hosts, and its error would hold the password.
  const at = url.indexOf('?')
  if (at < 0) return { base: url, parameters: new URLSearchParams() }
  return { base: url.slice(0, at), parameters: new URLSearchParams(url.slice(at + 1)) }
}

function hostsOf(base: string): readonly string[] {
  const authority = /^[a-z]+:\/\/([^/]*)/.exec(base)?.[1] ?? ''
  return authority
    .slice(authority.lastIndexOf('@') + 1)
    .split(',')
    .map((host) => host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'))
}
