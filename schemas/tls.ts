import net from 'node:net'
import { connect } from 'node:tls'
import { systemCode } from './errors.ts'

/**
 * What we bring to a TLS connection, as PEM texts. Nothing in it switches the check of the server's certificate off, or the check of the
 * name that it is for.
 */
export interface TlsMaterial {
  /** The authorities that may have signed the server's certificate. Without: those that Node knows. */
  readonly ca?: string
  /** Ours, for a server that asks for one. */
  readonly cert?: string
  readonly key?: string
  /** The name that the certificate has to be for, where that is not the host of the address. */
  readonly servername?: string
}

/** As `node:tls` takes it. Said explicitly: the default follows NODE_TLS_REJECT_UNAUTHORIZED. */
export function tlsOptions(material: TlsMaterial) {
  return { ...material, rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const
}

/** The name of a host as a client tells it to the server; an address has none. */
export function serverName(host: string): { readonly servername?: string } {
  return net.isIP(host) === 0 ? { servername: host } : {}
}

/** Where a person declares what a fault is about. */
export interface TlsFields {
  /** Such as `kafka.tls.ca`. */
  readonly ca: string
  /** Such as `kafka.tls.cert and kafka.tls.key`. */
  readonly client: string
}

/** Why two sides do not agree on TLS, as the rest of a sentence about the server, and what to do. */
export interface TlsFault {
  readonly reason: string
  readonly advice: string
}

type Describe = (fields: TlsFields, error: Error) => TlsFault

const unknownAuthority: Describe = ({ ca }) => ({
  reason: 'has a certificate of an authority that is not trusted',
  advice: `Name the file with the certificate of that authority in ${ca}`,
})

const otherName: Describe = (_, { message }) => {
  const detail = /(?:altnames: )(.+)$/s.exec(message)?.[1]?.replace(/\.$/, '')
  return {
    reason: `has a certificate for another name${detail === undefined ? '' : ` (${detail})`}`,
    advice: 'Use an address that the certificate names, or give the server one for this address',
  }
}

/** What OpenSSL finds wrong with a certificate, by Node's names for it (Node.js documentation, X509 certificate error codes). */
const CERTIFICATE: Readonly<Record<string, Describe>> = {
  CERT_HAS_EXPIRED: () => ({
    reason: 'has a certificate that has expired, or one of its authority has',
    advice: 'Renew it at the server',
  }),
  CERT_NOT_YET_VALID: () => ({
    reason: 'has a certificate that is not valid yet',
    advice: 'Check the clocks of both machines',
  }),
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  CERT_UNTRUSTED: unknownAuthority,
  // An authority of the same name, with another key.
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  ERR_TLS_CERT_ALTNAME_INVALID: otherName,
  HOSTNAME_MISMATCH: otherName,
  ...Object.fromEntries(
    [
      'CERT_REVOKED',
      'CERT_REJECTED',
      'INVALID_CA',
      'INVALID_PURPOSE',
      'PATH_LENGTH_EXCEEDED',
      'CERT_CHAIN_TOO_LONG',
      'EE_KEY_TOO_SMALL',
      'CA_KEY_TOO_SMALL',
      'CA_MD_TOO_WEAK',
    ].map((code): [string, Describe] => [
      code,
      () => ({ reason: `has a certificate that is not accepted (${code})`, advice: 'Give the server another one' }),
    ]),
  ),
}

/** How a server says that it wants a certificate of ours, or another one. */
const OUR_CERTIFICATE =
  /ALERT_(?:CERTIFICATE_(?:REQUIRED|UNKNOWN|EXPIRED|REVOKED)|(?:BAD|UNSUPPORTED|NO)_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/
const VERSION = /UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE/
const NO_TLS = /wrong[ _]version[ _]number|packet[ _]length[ _]too[ _]long/i

const DEPTH_MAX = 6

/**
 * Why a TLS connection will not come about however often it is tried. Pure.
 * @param error what was thrown; its causes are looked at too, as libraries wrap it
 * @returns undefined for all else, such as a connection that was refused or cut
 */
export function tlsFault(error: unknown, fields: TlsFields): TlsFault | undefined {
  let one = error
  for (let depth = 0; depth < DEPTH_MAX && one instanceof Error; depth++) {
    const found = faultIn(one, fields)
    if (found !== undefined) return found
    one = one.cause
  }
  return undefined
}

function faultIn(error: Error, fields: TlsFields): TlsFault | undefined {
  const code = systemCode(error) ?? ''
  const certificate = Object.hasOwn(CERTIFICATE, code) ? CERTIFICATE[code] : undefined
  if (certificate !== undefined) return certificate(fields, error)
  if (!code.startsWith('ERR_SSL_') && code !== 'EPROTO') return undefined
  if (NO_TLS.test(code) || NO_TLS.test(error.message))
    return { reason: 'does not speak TLS', advice: 'Use the port of the server that does, or declare none' }
  if (OUR_CERTIFICATE.test(code))
    return {
      reason: `does not accept us without a certificate that it trusts (${code})`,
      advice: `Declare ${fields.client}`,
    }
  if (VERSION.test(code))
    return { reason: 'offers no TLS of version 1.2 or newer', advice: 'Switch one on at the server' }
  return { reason: `does not agree on TLS (${code})`, advice: 'See its log' }
}

/** Whether a server hung up instead of a TLS hello: it may have no TLS at that port, or be restarting. */
export function hungUpOnTls(error: unknown): boolean {
  return error instanceof Error && error.message.includes('before secure TLS connection was established')
}

const PROBE_MS = 1_500
const NO_FIELDS: TlsFields = { ca: '', client: '' }

/**
 * Whether a server that gives no sensible answer in plain text speaks TLS. Only the two hellos are exchanged. Never throws.
 * @param host a name or an address, without brackets
 */
export function speaksTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...tlsOptions(serverName(host)) })
    const finish = (speaks: boolean) => {
      socket.destroy()
      resolve(speaks)
    }
    socket.setTimeout(PROBE_MS, () => finish(false))
    socket.on('secureConnect', () => finish(true))
    // A certificate that we do not trust is one, too.
    socket.on('error', (error) => {
      const fault = tlsFault(error, NO_FIELDS)
      finish(fault !== undefined && fault.reason !== 'does not speak TLS')
    })
    socket.on('close', () => finish(false))
  })
}
