import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findOnPath } from '../stack/programs.ts'

/*
 * `npm run observe`: Prometheus with our rules beside `npm start`, on this machine alone, until Ctrl-C. What it has collected is removed with it.
 */

const ADDRESS = '127.0.0.1:9090'
const CONFIG = fileURLToPath(new URL('./prometheus.yml', import.meta.url))
const ENVIRONMENT_MISSING = 3

const program = findOnPath('prometheus', process.env)
if (program === undefined) {
  console.error('Prometheus is not on the PATH. Install it (Debian: apt-get install prometheus), then run this again.')
  process.exit(ENVIRONMENT_MISSING)
}
const folder = mkdtempSync(join(tmpdir(), 'tributary-prometheus-'))
try {
  const child = spawn(
    program,
    [`--config.file=${CONFIG}`, `--storage.tsdb.path=${folder}`, `--web.listen-address=${ADDRESS}`, '--log.level=warn'],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  // The terminal sends Ctrl-C to both; whoever stops this one alone means both.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'))
  console.log(
    `Prometheus: http://${ADDRESS}   alerts: http://${ADDRESS}/alerts   it asks http://127.0.0.1:9464/metrics (npm start)`,
  )
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 0
} finally {
  rmSync(folder, { recursive: true, force: true })
}
