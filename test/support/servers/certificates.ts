import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** A certificate with its private key, in PEM form. */
export interface Certificate {
  readonly certificate: string
  /** PKCS #8, as Kafka and PostgreSQL take it too. */
  readonly key: string
}

export interface Authority extends Certificate {
  /** A certificate that this authority has signed, for these host names and addresses. */
  issue(names: readonly string[], validity?: Validity): Certificate
}

/** In ms from now. */
export interface Validity {
  readonly fromMs: number
  readonly untilMs: number
}

const AN_HOUR: Validity = { fromMs: -3_600_000, untilMs: 3_600_000 }

/** Makes an authority of a test, good for an hour, whose certificates no other knows. By hand: neither Node nor a JDK makes PEM files of both. */
export function createAuthority(name = 'tributary test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = signed(
    { subject: name, issuer: name, publicKey: keys.publicKey, validity: AN_HOUR, extensions: AUTHORITY_EXTENSIONS },
    keys.privateKey,
  )
  return {
    certificate,
    key: pemOf(keys.privateKey),
    issue(names, validity = AN_HOUR) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const extensions = [extension(SUBJECT_ALT_NAME, false, sequence(...names.map(generalName)))]
      const subject = { subject: names[0]!, issuer: name, publicKey: own.publicKey, validity, extensions }
      return { certificate: signed(subject, keys.privateKey), key: pemOf(own.privateKey) }
    },
  }
}

interface Subject {
  readonly subject: string
  readonly issuer: string
  readonly publicKey: KeyObject
  readonly validity: Validity
  readonly extensions: readonly Buffer[]
}

const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const SUBJECT_ALT_NAME = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
const SERIAL_BYTES = 16

/** An X.509 certificate of version 3 (RFC 5280, section 4.1). */
function signed({ subject, issuer, publicKey, validity, extensions }: Subject, authority: KeyObject): string {
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const time = (afterMs: number) => utcTime(new Date(Date.now() + afterMs))
  const toBeSigned = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(SERIAL_BYTES)])),
    algorithm,
    distinguishedName(issuer),
    sequence(time(validity.fromMs), time(validity.untilMs)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions)),
  )
  const signature = tagged(0x03, Buffer.from([0]), sign('sha256', toBeSigned, authority))
  return new X509Certificate(sequence(toBeSigned, algorithm, signature)).toString()
}

const TRUE = tagged(0x01, Buffer.from([0xff]))
const AUTHORITY_EXTENSIONS = [extension(BASIC_CONSTRAINTS, true, sequence(TRUE))]

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(isCritical ? [TRUE] : []), tagged(0x04, value))
}

function generalName(name: string): Buffer {
  if (isIP(name) === 4) return tagged(0x87, Buffer.from(name.split('.').map(Number)))
  return tagged(0x82, Buffer.from(name, 'latin1'))
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId(COMMON_NAME), tagged(0x0c, Buffer.from(name)))))
}

function utcTime(date: Date): Buffer {
  return tagged(0x17, Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`))
}

/** The tags of DER (ITU-T X.690), each with a length and what it holds. */
function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts)
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes)
}

function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number)
  const bytes = rest.flatMap((part) => {
    const digits = [part & 0x7f]
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80)
    return digits
  })
  return tagged(0x06, Buffer.from([40 * first! + second!, ...bytes]))
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
