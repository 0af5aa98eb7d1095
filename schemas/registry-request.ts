import { setTimeout as delay } from 'node:timers/promises'
import { systemCode, TributaryError } from './errors.ts'
import { registryExchange } from './registry-exchange.ts'
import { speaksTls, type TlsFields, type TlsMaterial, tlsFault } from './tls.ts'

export interface RegistryAddress {
  /** The base of the Confluent-compatible API, such as `http://host:8080/apis/ccompat/v7`; may hold a user and a password. */
  readonly url: string
  /** Where they are not in the URL. */
  readonly login?: RegistryLogin | undefined
  /** For `https`. */
  readonly tls?: TlsMaterial | undefined
  readonly requestTimeoutMs?: number
}

export type RegistryLogin = { readonly username: string; readonly password: string } | { readonly token: string }

/** What the registry itself answered. Everything else is `registry-unreachable`. */
export interface RegistryAnswer {
  readonly status: number
  readonly body: unknown
}

export type RegistryRequest = (method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown) => Promise<RegistryAnswer>

const REQUEST_TIMEOUT_MS = 8_000
const ATTEMPTS_MAX = 4
/** No further attempt after this: a registry that is silent for a whole time-out is not asked four times over. */
const RETRY_MS_MAX = 4_000
const BACKOFF_MS = 200
const MESSAGE_CHARS_MAX = 500

/**
 * Requests to one registry, each with a time-out and a few retries; all of them are idempotent.
 *
 * An answer counts as the registry's own only when it is JSON, and a refusal only when it has the API's `error_code`: a proxy's
 * 404 while the registry restarts must not look like a schema that does not exist.
 * @returns a function that throws TributaryError `registry-unreachable` (retry) or `registry-unsuitable` (stop: a wrong user, password or
 * certificate); no error holds any of them
 * @throws TributaryError `declaration-invalid` when the URL is not one
 */
export function registryRequests(address: RegistryAddress): RegistryRequest {
  const { url, login, tls, requestTimeoutMs = REQUEST_TIMEOUT_MS } = address
  const { base, authorization } = parseAddress(url, login)
  const exchange = registryExchange(tls)
  const headers: Record<string, string> = {
    accept: 'application/vnd.schemaregistry.v1+json, application/json',
    'content-type': 'application/vnd.schemaregistry.v1+json',
    ...(authorization === undefined ? {} : { authorization }),
  }

  async function attempt(method: string, path: string, body: string | null): Promise<RegistryAnswer | Failure> {
    try {
      const { status, text } = await exchange({
        method,
        url: `${base}${path}`,
        headers,
        body,
        timeoutMs: requestTimeoutMs,
      })
      return judge(status, text)
    } catch (error) {
      const fault = tlsFault(error, FIELDS)
      if (fault !== undefined) return new Failure(`${fault.reason}. ${fault.advice}`, true, error)
      return new Failure(`does not answer (${connectionCode(error)})`, false, error)
    }
  }

  return async (method, path, body) => {
    const text = body === undefined ? null : JSON.stringify(body)
    const giveUpAt = performance.now() + RETRY_MS_MAX
    for (let attempts = 1; ; attempts++) {
      const outcome = await attempt(method, path, text)
      if (!(outcome instanceof Failure)) return outcome
      if (outcome.refused)
        throw new TributaryError('registry-unsuitable', `The schema registry at ${base} ${outcome.message}.`, {
          cause: outcome,
        })
      if (attempts === ATTEMPTS_MAX || performance.now() >= giveUpAt) {
        if (await isPlainToTls(base))
          throw new TributaryError(
            'registry-unsuitable',
            `The schema registry at ${base} speaks TLS. Write \`https\` in registry.url.`,
            { cause: outcome.cause ?? outcome },
          )
        throw new TributaryError(
          'registry-unreachable',
          `The schema registry at ${base} ${outcome.message}. Check registry.url and that it runs.`,
          { cause: outcome.cause ?? outcome },
        )
      }
      await delay(BACKOFF_MS * 2 ** (attempts - 1) * (0.5 + Math.random() / 2))
    }
  }
}

const FIELDS: TlsFields = { ca: 'registry.ca', client: 'registry.cert and registry.key' }

/** Such a server hangs up on plain text, or answers with something that is no HTTP. */
async function isPlainToTls(base: string): Promise<boolean> {
  const { protocol, hostname, port } = new URL(base)
  return protocol === 'http:' && (await speaksTls(hostname.replace(/^\[(.*)\]$/, '$1'), Number(port || 80)))
}

class Failure extends Error {
  /** Asking again would get the same answer. */
  readonly refused: boolean

  constructor(message: string, refused: boolean, cause?: unknown) {
    super(message, { cause })
    this.refused = refused
  }
}

/** Why no answer came: the system's code (ECONNREFUSED), or the class (TimeoutError). */
function connectionCode(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given'
  if (error.name === 'TimeoutError') return 'no answer in time'
  return systemCode(error) ?? error.name
}

function judge(status: number, text: string): RegistryAnswer | Failure {
  if (status === 401 || status === 403) return refusedLogin(status)
  if (status >= 500 || status === 408 || status === 429) return new Failure(`answers with status ${status}`, false)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (error) {
    return new Failure(`answers with status ${status} and something that is not JSON`, false, error)
  }
  if (status >= 200 && status < 300) return { status, body }
  if (typeof errorCode(body) !== 'number')
    return new Failure(`answers with status ${status}, but not as a registry does`, false)
  return { status, body }
}

function refusedLogin(status: number): Failure {
  const text = `refuses the user, password or token (status ${status}). Check them in \`registry\`, and their rights`
  return new Failure(text, true)
}

function errorCode(body: unknown): unknown {
  return typeof body === 'object' && body !== null && 'error_code' in body ? body.error_code : undefined
}

/** The registry's own words in a refusal, cut to a bound. They speak of schemas, never of records. */
export function refusalText({ status, body }: RegistryAnswer): string {
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined
  return typeof message === 'string' ? message.slice(0, MESSAGE_CHARS_MAX) : `status ${status}`
}

function parseAddress(
  url: string,
  login: RegistryLogin | undefined,
): { base: string; authorization: string | undefined } {
  // Not the constructor: its error holds the whole URL, password included.
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw invalidUrl('is not an http or https URL')
  const user = decodeCredential(parsed.username)
  const password = decodeCredential(parsed.password)
  const base = parsed.origin + parsed.pathname.replace(/\/+$/, '')
  if (login !== undefined) {
    const authorization = 'token' in login ? `Bearer ${login.token}` : basic(login.username, login.password)
    return { base, authorization }
  }
  return { base, authorization: user === '' && password === '' ? undefined : basic(user, password) }
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

function decodeCredential(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalidUrl('has a user or password with a "%" that is not followed by two hex digits; write it as "%25"')
  }
}

function invalidUrl(what: string): TributaryError {
  return new TributaryError('declaration-invalid', `registry.url ${what}`, { cause: new Error(what) })
}
