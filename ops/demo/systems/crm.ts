import { startDataverseSandbox } from '../../../connectors/dataverse/sandbox.ts'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { serve } from './serve.ts'

await serve(
  // The vendor's limit per web server would make the first copy take minutes; a real environment has several servers.
  (options) => startDataverseSandbox({ ...options, limits: { requests: 1_000_000 } }),
  (url) => ({
    CRM_URL: url,
    CRM_TOKEN_URL: `${url}/demo/oauth2/v2.0/token`,
    CRM_CLIENT_ID: SANDBOX_CLIENT.clientId,
    CRM_CLIENT_SECRET: SANDBOX_CLIENT.clientSecret,
  }),
)
