import { createAdminApiClient } from '@shopify/admin-api-client'
import { SANDBOX_TOKEN } from '../../../connectors/shopify/sandbox.ts'

/** What a client of the vendor's own gets from a sandbox: it only knows stores by https, so its requests are led to loopback. */
export function vendorClient(sandboxUrl: string, accessToken = SANDBOX_TOKEN) {
  const client = createAdminApiClient({
    storeDomain: 'sandbox.myshopify.com',
    apiVersion: '2026-07',
    accessToken,
    customFetchApi: (url, init) => fetch(String(url).replace('https://sandbox.myshopify.com', sandboxUrl), init),
  })
  return async (query: string, variables: Record<string, unknown> = {}) => {
    const answer = await client.request(query, { variables })
    // As plain JSON, to be looked at by path.
    const data = JSON.parse(JSON.stringify(answer.data ?? null))
    return { data, errors: answer.errors, cost: answer.extensions?.cost as Cost | undefined }
  }
}

export interface Cost {
  readonly requestedQueryCost: number
  readonly actualQueryCost: number | null
  readonly throttleStatus: {
    readonly maximumAvailable: number
    readonly currentlyAvailable: number
    readonly restoreRate: number
  }
}
