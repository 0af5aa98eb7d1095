import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { defaultDataDir } from '../stack/data-folder.ts'

/** `npm run sql -- erp|warehouse "<statement>"`: a statement on a running demo, for machines without psql. */
const [database, statement] = process.argv.slice(2)
if ((database !== 'erp' && database !== 'warehouse') || statement === undefined) {
  console.error('Usage: npm run sql -- erp|warehouse "<statement>"')
  process.exit(2)
}
const urls = readUrls()
const sql = postgres(urls[database], { max: 1, onnotice: () => {} })
try {
  const rows = await sql.unsafe(statement)
  if (rows.length > 0) console.table(rows.map((row) => ({ ...row })))
  console.log(`${rows.command ?? 'OK'} ${rows.count ?? rows.length}`)
} catch (error) {
  console.error(`${(error as Error).message}`)
  process.exitCode = 1
} finally {
  await sql.end()
}

function readUrls(): { erp: string; warehouse: string } {
  try {
    return JSON.parse(readFileSync(join(defaultDataDir(process.env), 'demo', 'databases.json'), 'utf8'))
  } catch {
    console.error('The demo is not running. Start it with `npm start`.')
    return process.exit(3)
  }
}
