import { dirname, resolve as resolvePath } from 'node:path'
import type { SaslLogin } from '../../../connectors/kafka/security.ts'
import type { TlsFiles } from '../../../connectors/tls-files.ts'
import type { RegistryLogin } from '../../../schemas/registry-request.ts'
import { unchecked } from '../checked-text.ts'
import type { Declared } from '../definition.ts'
import { splitBrokers } from '../notation.ts'

export interface DeclaredKafka {
  readonly brokers: readonly string[]
  readonly replication: number
  /** Left out: plain text. */
  readonly tls?: TlsFiles
  readonly sasl?: SaslLogin
}

export interface DeclaredRegistry {
  readonly url: string
  readonly login?: RegistryLogin
  readonly tls?: TlsFiles
}

export interface DeclaredRedis {
  readonly url: string
  readonly login?: { readonly username?: string; readonly password: string }
  readonly tls?: TlsFiles
}

/** @param file the declaration: paths are from where it is */
export function resolveKafka(
  { brokers, replication, tls = false, sasl }: Declared['kafka'],
  file: string,
): DeclaredKafka {
  return {
    brokers: typeof brokers === 'string' ? splitBrokers(brokers) : brokers,
    replication,
    ...(tls === false ? {} : { tls: tls === true ? {} : filesFrom(tls, file) }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

export function resolveRegistry(declared: Declared['registry'], file: string): DeclaredRegistry {
  const { url, username, password, token, ...tls } = declared
  const common = { url, ...(url.startsWith('https:') ? { tls: filesFrom(tls, file) } : {}) }
  if (token !== undefined) return { ...common, login: { token } }
  if (username === undefined && password === undefined) return common
  if (username === undefined || password === undefined) throw unchecked('half a login')
  return { ...common, login: { username, password } }
}

export function resolveRedis(declared: Declared['redis'], file: string): DeclaredRedis {
  const { url, username, password, ...tls } = declared
  const common = { url, ...(url.startsWith('rediss:') ? { tls: filesFrom(tls, file) } : {}) }
  if (password === undefined) return common
  return { ...common, login: { password, ...(username === undefined ? {} : { username }) } }
}

function filesFrom({ ca, cert, key, ...rest }: TlsFiles, file: string): TlsFiles {
  const at = (path: string) => resolvePath(dirname(file), path)
  const paths = Object.entries({ ca, cert, key }).flatMap(([name, path]) =>
    path === undefined ? [] : [[name, at(path)]],
  )
  return { ...rest, ...Object.fromEntries(paths) }
}
