import { z } from 'zod'
import { TributaryError } from '../../schemas/errors.ts'

const TIMEOUT_MS = 30_000
const ANSWER_BYTES_MAX = 8 * 1024 * 1024

/** One series of an answer: its labels and its value now. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const VECTOR = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('vector'),
    result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
  }),
})

/**
 * Asks Prometheus for the value of an expression now (its HTTP API, `/api/v1/query`).
 * @throws TributaryError `prometheus-unreachable`
 */
export async function queryPrometheus(url: string, expression: string): Promise<readonly Sample[]> {
  const address = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`)
  const body = new URLSearchParams({ query: expression, timeout: `${TIMEOUT_MS / 1000}s` })
  try {
    const answer = await fetch(address, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    })
    const text = await textOf(answer)
    if (!answer.ok) throw new Error(`it answers ${answer.status}`)
    const { data } = VECTOR.parse(JSON.parse(text))
    return data.result.map(({ metric, value }) => ({
      labels: metric,
      // It writes infinities as `+Inf` and `-Inf`.
      value: Number(value[1].replace('Inf', 'Infinity')),
    }))
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError ? 'it is something else' : ((cause as Error).cause as Error | undefined)?.message
    throw new TributaryError(
      'prometheus-unreachable',
      `Prometheus at ${address.host} does not answer (${reason ?? (cause as Error).message}). Check --prometheus and that it runs.`,
      { cause },
    )
  }
}

async function textOf(answer: Response): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of answer.body ?? []) {
    bytes += part.length
    if (bytes > ANSWER_BYTES_MAX) throw new Error('its answer is too large')
    parts.push(Buffer.from(part))
  }
  return Buffer.concat(parts).toString()
}
