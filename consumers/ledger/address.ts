import { serverName, type TlsMaterial, tlsOptions } from '../../schemas/tls.ts'

/** How Redis is reached. */
export interface LedgerAddress {
  readonly url: string
  /** Where they are not in the URL. */
  readonly login?: { readonly username?: string; readonly password: string } | undefined
  /** For `rediss://`. */
  readonly tls?: TlsMaterial | undefined
}

export function isPlain({ url }: LedgerAddress): boolean {
  return !url.startsWith('rediss://')
}

/** As the library takes it. Said in full: to it, `rediss://` alone leaves the check of certificates to the environment. */
export function securityOf(address: LedgerAddress) {
  const { url, login = {}, tls = {} } = address
  if (isPlain(address)) return login
  const host = (URL.parse(url)?.hostname ?? '').replace(/^\[(.*)\]$/, '$1')
  return { ...login, tls: tlsOptions({ ...serverName(host), ...tls }) }
}
