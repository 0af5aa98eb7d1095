import { createDatabaseOf } from '../databases.ts'
import { createErp } from '../erp.ts'
import { parseDemoOptions } from '../options.ts'
import { address } from './address.ts'
import { run } from './run.ts'

/**
 * Makes the demo's two databases and the ERP's rows where they are not there yet, and ends: as many as `npm start` makes, and with its
 * `--customers`. The roles have to be allowed to.
 */
await run(async () => {
  const { customers } = parseDemoOptions(process.argv.slice(2))
  const erp = address('ERP_URL', process.env)
  for (const url of [erp, address('WAREHOUSE_URL', process.env)]) await createDatabaseOf(url)
  await createErp(erp, {
    customers,
    products: Math.ceil(customers / 10),
    orders: Math.ceil(customers / 2),
    onProgress: ({ table, rows, tookMs }) => console.log(`${table}: ${rows} rows in ${tookMs} ms`),
  })
  console.log('The ERP is there.')
})
