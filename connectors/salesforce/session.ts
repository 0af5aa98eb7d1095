import { TributaryError } from '../../schemas/errors.ts'
import { type HttpAnswer, type HttpClient, type HttpRequest, NoAnswer } from '../http/client.ts'
import { createTokenSource, tokenOf } from '../http/token.ts'
import { type ApiUsage, readLimitInfo } from './api-usage.ts'

export interface SessionOptions {
  /** The organisation's own address (My Domain). */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** What comes back in `changeOrigin` of the change events that our writes cause. */
  readonly originClient: string
}

/** Requests to one organisation, with a token that is asked for and renewed as needed. */
export interface Session {
  /**
   * Sends a request, and once more with a new token when its own was refused (401): a refused one was not carried out.
   * @param path from the instance's address on
   * @throws NoAnswer; TributaryError `destination-unreachable` and `destination-unsuitable` when it was surely not carried out
   */
  send(method: HttpRequest['method'], path: string, body: string | null, signal: AbortSignal): Promise<HttpAnswer>
  /** What it told last of the calls that are left. */
  readonly usage: ApiUsage | null
}

/** What goes with every request, but for the token. */
export function requestHeaders(originClient: string, hasBody: boolean): Readonly<Record<string, string>> {
  return {
    accept: 'application/json',
    'sforce-call-options': `client=${originClient}`,
    ...(hasBody ? { 'content-type': 'application/json; charset=UTF-8' } : {}),
  }
}

export function createSession(http: HttpClient, options: SessionOptions, now = () => performance.now()): Session {
  const endpoint = `${options.url}/services/oauth2/token`
  let usage: ApiUsage | null = null
  let instance = options.url
  const tokens = createTokenSource(async (signal) => {
    const { clientId, clientSecret } = options
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    })
    let answer: HttpAnswer
    try {
      answer = await http.send(
        {
          method: 'POST',
          url: endpoint,
          headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
          body: form.toString(),
        },
        signal,
      )
    } catch (error) {
      // Whether or not it arrived: no record was sent with it.
      if (error instanceof NoAnswer)
        throw new TributaryError('destination-unreachable', `no token: ${error.message}`, { cause: error })
      throw error
    }
    const token = tokenOf(answer.status, answer.body, endpoint)
    instance = instanceOf(token.answer.instance_url, options.url)
    return token
  })

  const sendOnce = async (
    method: HttpRequest['method'],
    path: string,
    body: string | null,
    token: string,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const answer = await http.send(
      {
        method,
        url: instance + path,
        headers: { ...requestHeaders(options.originClient, body !== null), authorization: `Bearer ${token}` },
        ...(body === null ? {} : { body }),
      },
      signal,
    )
    const header = answer.headers['sforce-limit-info']
    usage = readLimitInfo(Array.isArray(header) ? header.join(';') : header, now()) ?? usage
    // A refusal for the limit need not tell it.
    if (answer.status === 403 && usage !== null && answer.body.includes('REQUEST_LIMIT_EXCEEDED'))
      usage = { ...usage, used: usage.max, atMs: now() }
    return answer
  }

  return {
    async send(method, path, body, signal) {
      const token = await tokens.get()
      const answer = await sendOnce(method, path, body, token, signal)
      if (answer.status !== 401) return answer
      tokens.refused(token)
      const again = await sendOnce(method, path, body, await tokens.get(), signal)
      if (again.status === 401)
        throw new TributaryError(
          'destination-unsuitable',
          `${new URL(instance).host} refuses a token that it has just given: check the app's scopes (api) and its run-as user`,
        )
      return again
    },
    get usage() {
      return usage
    },
  }
}

/**
 * The address that the token answer sends requests to. The client checks where it leads as it does any other.
 * @throws TributaryError `destination-unsuitable` when it is none that a token may be sent to
 */
function instanceOf(told: unknown, declared: string): string {
  const url = typeof told === 'string' && URL.canParse(told) ? new URL(told) : null
  const isSafe = url !== null && url.username === '' && (url.protocol === 'https:' || declared.startsWith('http:'))
  if (!isSafe)
    throw new TributaryError(
      'destination-unsuitable',
      'the token answer names no instance_url over https: check `url` of the declaration (My Domain)',
    )
  return url.origin
}
