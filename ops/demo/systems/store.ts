import { SANDBOX_TOKEN, startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { serve } from './serve.ts'

/** The metafields that tributary.yaml names, beside the ids that the sandbox has by itself. */
const DEFINITIONS = {
  'PRODUCT custom.list_price': 'number_decimal',
  'CUSTOMER custom.credit': 'single_line_text_field',
}

await serve(
  // Far more points than the largest plan has: the first copy would take many minutes.
  (options) =>
    startShopifySandbox({ ...options, maximumAvailable: 200_000, restoreRate: 100_000, definitions: DEFINITIONS }),
  (url) => ({ STORE_URL: url, STORE_TOKEN: SANDBOX_TOKEN }),
)
