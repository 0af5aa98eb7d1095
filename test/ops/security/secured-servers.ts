import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { postgresUser } from '../../../ops/stack/servers/postgres-user.ts'
import { blocksOf, readPages } from '../../docs/pages.ts'
import { CUSTOMER_ENTITY, CUSTOMERS } from '../../flow/customers.ts'
import { createFlow, type Flow, required } from '../../support/flow.ts'
import { openRegistryDoor } from '../../support/proxies/registry-door.ts'
import { openTlsFront } from '../../support/proxies/tls-front.ts'
import { createAuthority } from '../../support/servers/certificates.ts'
import { type OwnKafka, startOwnKafka } from '../../support/servers/own-kafka.ts'
import { type OwnPostgres, startOwnPostgres } from '../../support/servers/own-postgres.ts'

/** Passwords that stand nowhere else. The last has what has to be encoded in an address. */
export const PASSWORDS = {
  kafka: 'canary-kafka-4711',
  registry: 'canary-registry-4711',
  token: 'canary-token-4711',
  redis: 'canary-redis/4711@x',
} as const
const USER = 'pipeline'

/** Servers that ask for TLS and for a user, and a pipeline on them. */
export interface SecuredServers {
  readonly kafka: OwnKafka
  readonly postgres: OwnPostgres
  readonly flow: Flow
  /** A file with a certificate or key, by its name. */
  file(name: 'ca' | 'stranger' | 'client' | 'client-key'): string
  /** Gives the database server a certificate for localhost in the place of that for its address. */
  renameDatabase(): Promise<void>
  close(): Promise<void>
}

/** The declaration refers to the environment for everything that a test makes wrong. */
const declare = (prefix: string) => `name: ${prefix}
kafka:
  brokers: \${KAFKA}
  replication: 1
  tls: { ca: "\${CA}", cert: "\${CLIENT}", key: "\${CLIENT_KEY}" }
  sasl: { mechanism: "\${MECHANISM}", username: ${USER}, password: "\${KAFKA_PASSWORD}" }
registry: { url: "\${REGISTRY}", username: ${USER}, password: "\${REGISTRY_PASSWORD}", ca: "\${CA}" }
redis: { url: "\${REDIS}", username: "\${REDIS_USER}", password: "\${REDIS_PASSWORD}", ca: "\${CA}" }
ledger: { fingerprintKey: "\${TRIBUTARY_FINGERPRINT_KEY}" }
sources:
  erp: { type: postgres, url: "\${ERP_URL}?sslmode=verify-full&sslrootcert=\${CA}" }
${CUSTOMER_ENTITY}
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}?sslmode=verify-full&sslrootcert=\${CA}"
    entities: { customer: { table: customers } }
`

/** Takes some fifteen seconds. Changes TRIBUTARY_POSTGRES_URL of this process: both databases are on a server with TLS. */
export async function startSecuredServers(): Promise<SecuredServers> {
  const closing: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end()
  }
  try {
    const folder = await mkdtemp(join(tmpdir(), 'tributary-security-'))
    closing.push(() => rm(folder, { recursive: true, force: true }))
    // The database server may run as another user.
    await chmod(folder, 0o711)
    const authority = createAuthority()
    const server = authority.issue(['localhost', '127.0.0.1'])
    const client = authority.issue([USER])
    const database = authority.issue(['127.0.0.1'])
    const localhost = authority.issue(['localhost'])
    const texts = {
      ca: authority.certificate,
      // Of the same name, with another key.
      stranger: createAuthority().certificate,
      client: client.certificate,
      'client-key': client.key,
      database: database.certificate,
      'database-key': database.key,
      // A name that Node falls back to where it is told none.
      localhost: localhost.certificate,
      'localhost-key': localhost.key,
    }
    const file = (name: keyof typeof texts) => join(folder, `${name}.pem`)
    for (const [name, text] of Object.entries(texts))
      await writeFile(file(name as keyof typeof texts), text, { mode: 0o600 })
    const owner = await postgresUser()
    if (owner !== undefined)
      for (const name of ['database', 'database-key', 'localhost', 'localhost-key'] as const)
        await chown(file(name), owner.uid, owner.gid)

    const [kafka, postgres, registry] = await Promise.all([
      startOwnKafka({
        server,
        otherName: authority.issue(['broker.example']),
        authority: authority.certificate,
        users: [{ name: USER, password: PASSWORDS.kafka }],
      }),
      startOwnPostgres({ settings: { ssl: 'on', ...certificateSettings(file('database'), file('database-key')) } }),
      openRegistryDoor(required('TRIBUTARY_REGISTRY_URL'), [
        `Basic ${Buffer.from(`${USER}:${PASSWORDS.registry}`).toString('base64')}`,
        `Bearer ${PASSWORDS.token}`,
      ]),
    ])
    closing.push(kafka.close, postgres.close, registry.close)
    const registryFront = await openTlsFront({ host: '127.0.0.1', port: registry.port }, server)
    const redisUrl = new URL(required('TRIBUTARY_REDIS_URL'))
    const redisFront = await openTlsFront({ host: redisUrl.hostname, port: Number(redisUrl.port) }, server)
    closing.push(registryFront.close, redisFront.close)
    const redisUser = `u${randomBytes(4).toString('hex')}`
    process.env.TRIBUTARY_POSTGRES_URL = postgres.url
    const flow = await createFlow(declare, CUSTOMERS, {
      CA: file('ca'),
      CLIENT: file('client'),
      CLIENT_KEY: file('client-key'),
      KAFKA: kafka.secure,
      MECHANISM: 'scram-sha-512',
      KAFKA_PASSWORD: PASSWORDS.kafka,
      REGISTRY: `https://localhost:${registryFront.port}`,
      REGISTRY_PASSWORD: PASSWORDS.registry,
      REDIS: `rediss://127.0.0.1:${redisFront.port}`,
      REDIS_USER: redisUser,
      REDIS_PASSWORD: PASSWORDS.redis,
    })
    closing.push(flow.close, await addRedisUser(redisUrl.href, redisUser, flow.prefix))
    const renameDatabase = () => postgres.configure(certificateSettings(file('localhost'), file('localhost-key')))
    return { kafka, postgres, flow, file, renameDatabase, close }
  } catch (error) {
    await close()
    throw error
  }
}

function certificateSettings(certificate: string, key: string) {
  return { ssl_cert_file: certificate, ssl_key_file: key }
}

/** A user of the run's Redis, which itself asks for none, with the rights that the documentation gives. @returns how it is removed */
async function addRedisUser(url: string, name: string, prefix: string): Promise<() => Promise<void>> {
  const page = readPages().find(({ path }) => path === 'docs/operating/security.md')!
  const [, , , , , ...rights] = blocksOf(page, 'redis')[0]!.trim().replace(':shop:', `:${prefix}:`).split(' ')
  const redis = new Redis(url)
  await redis.call('ACL', 'SETUSER', name, 'on', `>${PASSWORDS.redis}`, ...rights)
  return async () => {
    await redis.call('ACL', 'DELUSER', name)
    redis.disconnect()
  }
}
