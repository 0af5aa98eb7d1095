import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { systemCode, TributaryError } from '../schemas/errors.ts'
import type { TlsMaterial } from '../schemas/tls.ts'

/** What is declared of TLS to one server: paths of PEM files, and a name. */
export interface TlsFiles {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly servername?: string | undefined
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * Reads the files, and looks whether they hold what they should: OpenSSL passes over what it cannot read, and then trusts nobody.
 * @param field how a file is called in messages, such as `kafka.tls.ca`
 * @throws TributaryError `environment-missing`: a file cannot be read, or holds something else
 */
export function readTls(files: TlsFiles, field: (name: 'ca' | 'cert' | 'key') => string): TlsMaterial {
  const { ca, cert, key, servername } = files
  return {
    ...(ca === undefined ? {} : { ca: readCertificates(ca, field('ca')).text }),
    ...(cert === undefined || key === undefined ? {} : readPair(cert, key, field)),
    ...(servername === undefined ? {} : { servername }),
  }
}

function readPair(cert: string, key: string, field: (name: 'cert' | 'key') => string): { cert: string; key: string } {
  const { text, certificates } = readCertificates(cert, field('cert'))
  const keyText = readPem(key, field('key'))
  const privateKey = parseKey(keyText, key, field('key'))
  if (!certificates[0]!.checkPrivateKey(privateKey))
    throw unfit(`${field('key')} names ${key}, which is not the key of the certificate of ${field('cert')}.`)
  return { cert: text, key: keyText }
}

function readCertificates(path: string, field: string): { text: string; certificates: readonly X509Certificate[] } {
  const text = readPem(path, field)
  const blocks = text.match(CERTIFICATE) ?? []
  try {
    if (blocks.length === 0) throw new Error('no certificate')
    return { text, certificates: blocks.map((block) => new X509Certificate(block)) }
  } catch {
    throw unfit(`${field} names ${path}, which holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).`)
  }
}

function parseKey(text: string, path: string, field: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (error) {
    // The error is not kept: it may quote what it could not read.
    const isLocked = systemCode(error) === 'ERR_MISSING_PASSPHRASE'
    const what = isLocked ? 'is locked with a passphrase: give one without' : 'holds no private key in PEM form'
    throw unfit(`${field} names ${path}, which ${what}.`)
  }
}

function readPem(path: string, field: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw unfit(`${field} names ${path}, which cannot be read (${systemCode(error) ?? 'unreadable'}).`)
  }
}

function unfit(message: string): TributaryError {
  return new TributaryError('environment-missing', message)
}
