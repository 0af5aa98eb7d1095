import { once } from 'node:events'
import net from 'node:net'
import { connect, createServer, type TlsOptions } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { speaksTls, type TlsMaterial, tlsFault, tlsOptions } from '../../schemas/tls.ts'
import { type Certificate, createAuthority } from '../support/servers/certificates.ts'

const FIELDS = { ca: 'kafka.tls.ca', client: 'kafka.tls.cert and kafka.tls.key' }
const authority = createAuthority()
const HERE = ['localhost', '127.0.0.1']

async function listen(server: net.Server): Promise<number> {
  server.on('error', () => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as net.AddressInfo).port
}

function serve({ certificate, key }: Certificate, more: TlsOptions = {}): Promise<number> {
  const server = createServer({ cert: certificate, key, ...more }, (socket) =>
    socket.on('error', () => {}).end('hello'),
  )
  return listen(server.on('tlsClientError', () => {}))
}

/** What a client says of a server; null when it was answered. */
async function faultAt(port: number, material: TlsMaterial, host = '127.0.0.1') {
  const socket = connect({ host, port, ...tlsOptions(material) })
  onTestFinished(() => void socket.destroy())
  const error = await new Promise<Error | null>((resolve) => {
    socket.on('error', resolve).on('data', () => resolve(null))
  })
  return error === null ? null : tlsFault(new Error('a library says it otherwise', { cause: error }), FIELDS)
}

test('a server with a certificate of the declared authority, for its address, is trusted', async () => {
  const port = await serve(authority.issue(HERE))
  expect(await faultAt(port, { ca: authority.certificate })).toBeNull()
  expect(await faultAt(port, { ca: authority.certificate }, 'localhost')).toBeNull()
})

test.each([
  ['no authority is declared', {}],
  ['another one of the same name is', { ca: createAuthority().certificate }],
  ['another one is', { ca: createAuthority('someone else').certificate }],
])('a server is not trusted when %s, and the place to declare it is named', async (_, material) => {
  const fault = await faultAt(await serve(authority.issue(HERE)), material)
  expect(fault).toStrictEqual({
    reason: 'has a certificate of an authority that is not trusted',
    advice: 'Name the file with the certificate of that authority in kafka.tls.ca',
  })
})

test('a certificate for another name is refused with both names, unless that name is declared', async () => {
  const port = await serve(authority.issue(['broker.example']))
  const ca = authority.certificate
  const fault = await faultAt(port, { ca }, 'localhost')
  expect(fault?.reason).toMatch(/^has a certificate for another name \(.*localhost.*broker\.example.*\)$/)
  expect((await faultAt(port, { ca }))?.reason).toContain('another name')
  expect(await faultAt(port, { ca, servername: 'broker.example' })).toBeNull()
})

test.each([
  ['has expired', { fromMs: -7_200_000, untilMs: -3_600_000 }, 'has a certificate that has expired'],
  ['is not valid yet', { fromMs: 3_600_000, untilMs: 7_200_000 }, 'has a certificate that is not valid yet'],
])('a certificate that %s is refused for that', async (_, validity, reason) => {
  const fault = await faultAt(await serve(authority.issue(HERE, validity)), { ca: authority.certificate })
  expect(fault?.reason).toContain(reason)
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'by %s a server that wants a certificate of ours says so',
  async (version) => {
    const asked = { ca: authority.certificate, requestCert: true, minVersion: version, maxVersion: version } as const
    const port = await serve(authority.issue(HERE), asked)
    const fault = await faultAt(port, { ca: authority.certificate })
    expect(fault).toMatchObject({
      reason: expect.stringContaining('does not accept us without a certificate'),
      advice: 'Declare kafka.tls.cert and kafka.tls.key',
    })
    const { certificate: cert, key } = authority.issue(['pipeline'])
    expect(await faultAt(port, { ca: authority.certificate, cert, key })).toBeNull()
  },
)

test('a server without TLS that answers in plain text is told from one that is away', async () => {
  const port = await listen(net.createServer((socket) => socket.on('error', () => {}).end('-ERR what?\r\n')))
  expect((await faultAt(port, {}))?.reason).toBe('does not speak TLS')
  expect(await faultAt(1, {})).toBeUndefined()
  const cutting = await listen(net.createServer((socket) => socket.destroy()))
  expect(await faultAt(cutting, {})).toBeUndefined()
})

test('whether a server speaks TLS is seen without trusting it', async () => {
  expect(await speaksTls('localhost', await serve(authority.issue(HERE)))).toBe(true)
  const mutual = { ca: authority.certificate, requestCert: true, maxVersion: 'TLSv1.2' } as const
  expect(await speaksTls('127.0.0.1', await serve(authority.issue(HERE), mutual))).toBe(true)
  const plain = net.createServer((socket) => socket.on('error', () => {}).end('-ERR what?\r\n'))
  expect(await speaksTls('127.0.0.1', await listen(plain))).toBe(false)
  const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
  expect(await speaksTls('127.0.0.1', await listen(silent))).toBe(false)
  expect(await speaksTls('127.0.0.1', 1)).toBe(false)
})
