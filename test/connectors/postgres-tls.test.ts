import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PeerCertificate } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { sslModeFault, withTls } from '../../connectors/postgres-tls.ts'
import { createAuthority } from '../support/servers/certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-postgres-tls-'))
afterAll(() => rmSync(folder, { recursive: true }))
const ca = join(folder, 'ca.pem')
const { certificate } = createAuthority()
writeFileSync(ca, certificate)

test.each([
  ['postgres://u:p@h/db', 'postgres://u:p@h/db'],
  ['postgres://u:p@h/db?sslmode=disable', 'postgres://u:p@h/db'],
  ['postgres://u:p@h/db?sslmode=disable&application_name=x', 'postgres://u:p@h/db?application_name=x'],
])('%s asks for none', (url, plain) => {
  expect(withTls(url, 'the url')).toStrictEqual({ url: plain, ssl: false })
})

test('an address that asks for it leads to a check of certificate and name, and keeps what else it says', () => {
  const { url, ssl } = withTls(`postgres://u:p@a:1,b:2/db?sslmode=verify-full&sslrootcert=${ca}&options=x`, 'the url')
  expect(url).toBe('postgres://u:p@a:1,b:2/db?options=x')
  expect(ssl).toMatchObject({ ca: certificate, rejectUnauthorized: true })
  expect(withTls('postgres://h/db?sslmode=verify-full&sslrootcert=system', 'the url').ssl).not.toHaveProperty('ca')
})

test.each(['require', 'prefer', 'allow', 'verify-ca', 'true'])(
  'sslmode=%s is refused: it looks safe and is not',
  (mode) => {
    const url = `postgres://u:hunter2@h/db?sslmode=${mode}`
    expect(sslModeFault(url)?.suggestion).toContain('sslmode=verify-full')
    expect(() => withTls(url, 'the url')).toThrow(/^the url asks for TLS without a check of the server/)
    expect(() => withTls(url, 'the url')).not.toThrow(/hunter2/)
  },
)

test.each([
  'postgres://h/db?sslrootcert=ca.pem',
  'postgres://h/db?sslmode=disable&sslcert=a&sslkey=b',
  'postgres://h/db?sslmode=verify-full&sslcert=a',
])('%s says half of what it should', (url) => {
  expect(sslModeFault(url)).toBeDefined()
})

test('an address is checked against the certificate as one, whatever name Node falls back to', () => {
  const check = (url: string, name: string, subjectaltname: string) => {
    const { ssl } = withTls(url, 'the url')
    const { checkServerIdentity } = ssl as {
      checkServerIdentity: (name: string, of: PeerCertificate) => Error | undefined
    }
    return checkServerIdentity(name, { subject: { CN: 'x' }, subjectaltname } as PeerCertificate)
  }
  const at = (hosts: string) => `postgres://u:p@${hosts}/db?sslmode=verify-full`
  expect(check(at('10.0.0.5:5432'), 'localhost', 'DNS:localhost')).toBeInstanceOf(Error)
  expect(check(at('10.0.0.5:5432'), 'localhost', 'IP Address:10.0.0.5')).toBeUndefined()
  expect(check(at('[::1]:5432'), 'localhost', 'IP Address:0:0:0:0:0:0:0:1')).toBeUndefined()
  expect(check(at('db.example'), 'db.example', 'DNS:db.example')).toBeUndefined()
  expect(check(at('db.example'), 'db.example', 'DNS:other.example')).toBeInstanceOf(Error)
})
