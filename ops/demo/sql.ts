import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import postgres from 'postgres'
import { defaultDataDir } from '../stack/data-folder.ts'
import { ENVIRONMENT_FILE } from './environment-file.ts'

const URL_VARIABLES = { erp: 'ERP_URL', warehouse: 'WAREHOUSE_URL' } as const

/** `npm run sql -- erp|warehouse "<statement>"`: a statement on a running demo, for machines without psql. */
const [database, statement] = process.argv.slice(2)
if ((database !== 'erp' && database !== 'warehouse') || statement === undefined) {
  console.error('Usage: npm run sql -- erp|warehouse "<statement>"')
  process.exit(2)
}
const sql = postgres(addressOf(URL_VARIABLES[database]), { max: 1, fetch_types: false, onnotice: () => {} })
try {
  const rows = await sql.unsafe(statement)
  if (rows.length > 0) console.table(rows.map((row) => ({ ...row })))
  console.log(`${rows.command} ${rows.count}`)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await sql.end()
}

function addressOf(variable: string): string {
  try {
    const file = join(defaultDataDir(process.env), 'demo', ENVIRONMENT_FILE)
    return parseEnv(readFileSync(file, 'utf8'))[variable]!
  } catch {
    console.error('The demo is not running. Start it with `npm start`.')
    return process.exit(3)
  }
}
