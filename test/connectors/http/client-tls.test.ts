import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHttpClient, type HttpClient } from '../../../connectors/http/client.ts'

// Made for this test, for localhost and 127.0.0.1, good for a hundred years; it protects nothing.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUv0gA5MiJXAu7xmV
h8Q/dJBPX1JUGKmkzhI2X3uGsQ6hRANCAARJe4z+/Y0oAE5uBSXKDh1w+wLIgxJh
ZEYDjaUtfOrrmE241uSjnXE0iudPEmJBDkTils6oHpkfrLYNI9MwE3TX
-----END PRIVATE KEY-----
`
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBpTCCAUugAwIBAgIUFYOOb+m1iSP5IVmx3qwvhC1CSDwwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdHJpYnV0YXJ5IHRlc3QwIBcNMjYxMTIyMTEyODQyWhgPMjEy
NjEwMjkxMTI4NDJaMBkxFzAVBgNVBAMMDnRyaWJ1dGFyeSB0ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAESXuM/v2NKABObgUlyg4dcPsCyIMSYWRGA42lLXzq
65hNuNbko51xNIrnTxJiQQ5E4pbOqB6ZH6y2DSPTMBN016NvMG0wHQYDVR0OBBYE
FBGPh2E5jiUW6W/1ro1mmwPlKWBGMB8GA1UdIwQYMBaAFBGPh2E5jiUW6W/1ro1m
mwPlKWBGMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/
AAABMAoGCCqGSM49BAMCA0gAMEUCIQDHnlhG1BFTg4QGv5b/2vv4tUbxG3TO/DG0
ijRIcYl6ZgIgdCN02Wp6P+i8axWimGyYS4edW/6JauXqk4mi8X0Uer0=
-----END CERTIFICATE-----
`

let server: Server
let port: number
let client: HttpClient
const sockets = new Set<Socket>()
const trusted = getCACertificates('default')

beforeAll(async () => {
  server = createServer({ key: KEY, cert: CERTIFICATE }, (incoming, response) => {
    sockets.add(incoming.socket)
    response.end(incoming.url)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  client = createHttpClient({ allowAddresses: ['127.0.0.1', '::1'], connections: 1, timeoutMs: 60_000 })
})
afterAll(() => {
  setDefaultCACertificates(trusted)
  client.close()
  server.closeAllConnections()
  server.close()
})

it('nothing is sent to a server whose certificate is not trusted', async () => {
  const url = `https://127.0.0.1:${port}/`
  await expect(client.send({ method: 'GET', url })).rejects.toMatchObject({ reached: 'no' })
  expect(sockets.size).toBe(0)
})

it('a trusted one is asked over one connection after another request, and several wait for it', async () => {
  setDefaultCACertificates([...trusted, CERTIFICATE])
  const ask = async (path: string) =>
    (await client.send({ method: 'GET', url: `https://localhost:${port}${path}` })).body.toString()
  expect(await Promise.all(['/a', '/b', '/c'].map(ask))).toEqual(['/a', '/b', '/c'])
  expect(await ask('/d')).toBe('/d')
  expect(sockets.size).toBe(1)
})
