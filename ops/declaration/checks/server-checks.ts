import { isIP } from 'node:net'
import { sslModeFault } from '../../../connectors/postgres-tls.ts'
import { splitBrokers } from '../notation.ts'
import type { Path } from '../problem.ts'
import { isMapping, type Mapping, mappingOf, type Report, textOf } from './unchecked-values.ts'

/** Whether a value was written as a reference to the environment. */
export type IsReference = (path: Path) => boolean

const HOW_TO_REFER = `write \`\${NAME}\`, and set NAME or NAME_FILE`
const READABLE = 'a password would travel readable'

/** Checks what is declared of the shared servers, as far as its parts say something together. */
export function checkServers(root: Mapping, report: Report, isReference: IsReference): void {
  checkKafka(mappingOf(root.kafka), report)
  checkLogin('registry', mappingOf(root.registry), 'https:', report)
  checkLogin('redis', mappingOf(root.redis), 'rediss:', report)
  for (const path of SECRETS) {
    const value = path.reduce<unknown>((inner, part) => mappingOf(inner)[part], root)
    if (textOf(value) !== undefined && !isReference(path))
      report(path, 'a secret does not belong in this file', HOW_TO_REFER)
  }
  checkPostgres(root, report)
}

const SECRETS: readonly Path[] = [
  ['kafka', 'sasl', 'password'],
  ['registry', 'password'],
  ['registry', 'token'],
  ['redis', 'password'],
]

function checkKafka({ brokers, tls, sasl }: Mapping, report: Report): void {
  if (isMapping(tls)) checkPair(['kafka', 'tls'], tls, report)
  if (!isMapping(sasl) || tls === true || isMapping(tls)) return
  const addresses = Array.isArray(brokers)
    ? brokers.map((broker) => textOf(broker) ?? '')
    : splitBrokers(textOf(brokers) ?? '')
  if (addresses.some((address) => !isLoopback(address.replace(/:\d+$/, ''))))
    report(['kafka', 'sasl'], `${READABLE} to the brokers`, 'declare `kafka.tls`', 'key')
}

/** @param secure how the address of a server with TLS begins */
function checkLogin(name: 'registry' | 'redis', server: Mapping, secure: string, report: Report): void {
  const { username, password, token } = server
  const url = textOf(server.url)
  checkPair([name], server, report)
  if (username !== undefined && password === undefined)
    report([name, 'username'], '`username` is there without `password`', 'declare both', 'key')
  if (name === 'registry' && password !== undefined && username === undefined)
    report([name, 'password'], '`password` is there without `username`', 'declare both', 'key')
  if (token !== undefined && (username !== undefined || password !== undefined))
    report([name, 'token'], '`token` stands beside a user or a password', 'keep one of them', 'key')
  const parsed = url === undefined ? null : URL.parse(url)
  if (parsed === null) return
  const isApart = password !== undefined || token !== undefined
  const isInside = parsed.username !== '' || parsed.password !== ''
  if (isApart && isInside)
    report([name, 'url'], 'has a user or a password, and so has the declaration beside it', 'keep one of them')
  if (parsed.protocol === secure) return
  for (const field of ['ca', 'cert', 'key'])
    if (server[field] !== undefined)
      report([name, field], 'says nothing without TLS', `write \`${secure}//\` in \`${name}.url\``, 'key')
  if ((isApart || isInside) && !isLoopback(parsed.hostname))
    report([name, 'url'], READABLE, `write \`${secure}//\`, at the server's port for TLS`)
}

function checkPair(path: Path, { cert, key }: Mapping, report: Report): void {
  if (cert !== undefined && key === undefined)
    report([...path, 'cert'], '`cert` is there without `key`', 'declare both', 'key')
  if (key !== undefined && cert === undefined)
    report([...path, 'key'], '`key` is there without `cert`', 'declare both', 'key')
}

/** The addresses of databases say themselves whether they are reached by TLS. */
function checkPostgres(root: Mapping, report: Report): void {
  for (const section of ['sources', 'subscribers'])
    for (const [name, value] of Object.entries(mappingOf(root[section]))) {
      const url = textOf(mappingOf(value).url)
      const fault = url !== undefined && /^postgres(ql)?:/.test(url) ? sslModeFault(url) : undefined
      if (fault !== undefined) report([section, name, 'url'], fault.fault, fault.suggestion)
    }
}

/** @param host a name or an address, perhaps in brackets */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (isIP(bare) === 4) return bare.startsWith('127.')
  return bare === '::1' || bare === 'localhost'
}
