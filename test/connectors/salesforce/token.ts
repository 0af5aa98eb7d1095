import { SANDBOX_CLIENT } from '../../../connectors/salesforce/sandbox.ts'

/** A token, asked for without a client. */
export async function tokenFor(url: string): Promise<string> {
  const answer = await fetch(`${url}/services/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: SANDBOX_CLIENT.clientId,
      client_secret: SANDBOX_CLIENT.clientSecret,
    }),
  })
  return ((await answer.json()) as { access_token: string }).access_token
}
