import { createHmac } from 'node:crypto'
import { TributaryError } from '../../schemas/errors.ts'

const PREFIX = 'whsec_'
/** What Standard Webhooks asks of a secret. */
const SECRET_BYTES_MIN = 24
const SECRET_BYTES_MAX = 64

/**
 * Reads secrets as Standard Webhooks writes them: `whsec_` and base64 of 24 to 64 bytes.
 * @throws TributaryError `declaration-invalid`, without the secret
 */
export function readSecrets(secrets: readonly string[]): readonly Buffer[] {
  return secrets.map((secret, at) => {
    const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : ''
    const bytes = Buffer.from(text, 'base64')
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(text) && bytes.length >= SECRET_BYTES_MIN && bytes.length <= SECRET_BYTES_MAX)
      return bytes
    throw new TributaryError(
      'declaration-invalid',
      `secret ${at + 1} is no \`${PREFIX}\` with base64 of ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes; \`openssl rand -base64 32\` makes one`,
    )
  })
}

/**
 * The headers of Standard Webhooks (standardwebhooks.com, "Webhook headers"): one `v1` signature a secret, so that a receiver that knows
 * the old or the new one accepts it while they are rotated. None without secrets.
 * @param nowMs what the clock says; receivers refuse what is more than five minutes off
 */
export function signatureHeaders(
  secrets: readonly Buffer[],
  id: string,
  nowMs: number,
  body: string,
): Readonly<Record<string, string>> {
  if (secrets.length === 0) return {}
  const timestamp = String(Math.floor(nowMs / 1000))
  const sign = (secret: Buffer) => createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map((secret) => `v1,${sign(secret)}`).join(' '),
  }
}
