import type { IncomingHttpHeaders } from 'node:http'
import { TributaryError } from '../../schemas/errors.ts'
import { createHttpClient, type HttpAnswer, type HttpRequest, NoAnswer } from '../http/client.ts'
import { createTokenSource, type TokenSource, tokenOf } from '../http/token.ts'

/** What every OData destination is declared with. */
export interface ODataOptions {
  /** The subscriber's name, for messages. */
  readonly name: string
  /** The address of the system: scheme and host, and where the API is under a path, that too. */
  readonly url: string
  /** The token endpoint of Entra ID: `https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. */
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly allowAddresses: readonly string[]
  /** The most requests at one time. */
  readonly connections: number
  /** How long one request may take. */
  readonly timeoutMs: number
  /** After what time a request without an answer can no longer take effect. Default: twice the time-out. */
  readonly lateRequestMs?: number
}

export interface ODataRequest {
  readonly method: HttpRequest['method']
  /** After the root of the service, without a slash in front, percent-encoded. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly answerBytesMax?: number
}

/** Requests to one OData service with a token of its own. */
export interface ODataSession {
  /** The root of the service, with a slash at the end. */
  readonly root: string
  /**
   * Sends a request; once more with a new token where the token is refused.
   * @throws NoAnswer, TributaryError `destination-unreachable`, `destination-unsuitable`
   */
  send(request: ODataRequest, signal?: AbortSignal): Promise<HttpAnswer>
  /** Where a link of an answer leads, as a path. @throws TributaryError `destination-unsuitable` when it leads elsewhere */
  pathOf(link: string): string
  close(): void
}

/** OData 4.0 JSON (OData-JSON 4.0, section 4.1; OData-Protocol 4.0, section 8.1.5). */
export const ODATA_HEADERS = {
  accept: 'application/json',
  'odata-version': '4.0',
  'odata-maxversion': '4.0',
} as const

export const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' } as const

/**
 * @param rootPath the path of the service under the declared address, such as `api/data/v9.2/`
 * @param scope what the token is asked for: `<resource>/.default`
 * @param saw sees the headers of every answer but those of the token endpoint
 */
export function createODataSession(
  options: ODataOptions,
  rootPath: string,
  scope: string,
  saw: (status: number, headers: IncomingHttpHeaders) => void,
): ODataSession {
  const { allowAddresses, connections, timeoutMs } = options
  const root = `${options.url.replace(/\/+$/, '')}/${rootPath}`
  const client = createHttpClient({ allowAddresses, connections, timeoutMs })
  // On its own connections: a renewal does not queue behind the requests that wait for it.
  const tokenClient = createHttpClient({ allowAddresses, connections: 1, timeoutMs })
  const tokens: TokenSource = createTokenSource(() => askToken(options, scope, tokenClient))

  const once = async ({ method, path, headers, body, answerBytesMax }: ODataRequest, signal?: AbortSignal) => {
    const token = await tokens.get(signal).catch((error: unknown) => {
      if (signal?.aborted) throw new NoAnswer('no', 'stopped before it was sent', error)
      throw error
    })
    const answer = await client.send(
      {
        method,
        url: root + path,
        headers: {
          ...ODATA_HEADERS,
          ...(body === undefined ? {} : JSON_TYPE),
          ...headers,
          authorization: `Bearer ${token}`,
        },
        ...(body === undefined ? {} : { body }),
        ...(answerBytesMax === undefined ? {} : { answerBytesMax }),
      },
      signal,
    )
    if (answer.status === 401) tokens.refused(token)
    saw(answer.status, answer.headers)
    return answer
  }

  return {
    root,
    async send(request, signal) {
      const answer = await once(request, signal)
      return answer.status === 401 ? await once(request, signal) : answer
    },
    pathOf(link) {
      // The token goes with every request: a link to another host would hand it over.
      if (URL.canParse(link, root) && new URL(link, root).href.startsWith(new URL(root).href))
        return new URL(link, root).href.slice(new URL(root).href.length)
      throw new TributaryError(
        'destination-unsuitable',
        `subscriber "${options.name}": the service answers with links to another address; declare the address that it gives itself`,
      )
    },
    close() {
      client.close()
      tokenClient.close()
    },
  }
}

/** OAuth 2.0 client credentials at Entra ID (Microsoft identity platform, "client credentials flow"). */
async function askToken(options: ODataOptions, scope: string, client: ReturnType<typeof createHttpClient>) {
  const { tokenUrl, clientId, clientSecret } = options
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope,
  })
  try {
    const { status, body } = await client.send({
      method: 'POST',
      url: tokenUrl,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
    })
    return tokenOf(status, body, new URL(tokenUrl).host)
  } catch (error) {
    if (error instanceof TributaryError) throw error
    const reason = error instanceof Error ? error.message : 'no answer'
    throw new TributaryError('destination-unreachable', `no token: ${reason}`, { cause: error })
  }
}
