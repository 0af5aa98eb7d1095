/** A child process: reads a replication slot and throws the messages away, which is the most that any capture could reach. */
import { bareReader } from '../../../connectors/postgres/stream/reader.ts'
import type { BareNotice, BareOrder, BareReport } from './messages.ts'

const REPORT_EVERY_MS = 250

const tell = (notice: BareNotice) => process.connected && process.send!(notice)
const order = JSON.parse(process.argv[2]!) as BareOrder
let rows = 0
let firstReadAtMs: number | null = null
let lastReadAtMs: number | null = null
let cpuBefore = process.cpuUsage()
let reportedAtMs = Date.now()

const report = (): BareReport => {
  const { user, system } = process.cpuUsage(cpuBefore)
  const maxRssBytes = process.resourceUsage().maxRSS * 1024
  return { rows, firstReadAtMs, lastReadAtMs, cpuSeconds: (user + system) / 1e6, maxRssBytes }
}

const { url, slot, publication } = order
tell({ kind: 'running' })
for await (const count of bareReader({ url, slot, publication, application: 'tributary bench' })) {
  if (count === 0) continue
  const now = Date.now()
  if (firstReadAtMs === null) {
    firstReadAtMs = now
    cpuBefore = process.cpuUsage()
  }
  lastReadAtMs = now
  rows += count
  if (now - reportedAtMs > REPORT_EVERY_MS) {
    reportedAtMs = now
    tell({ kind: 'report', report: report() })
  }
  if (rows >= order.rows) break
}
tell({ kind: 'report', report: report() })
process.disconnect()
