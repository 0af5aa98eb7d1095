import { Counter, Gauge, type Registry } from 'prom-client'
import type { HeartbeatHeard } from '../../connectors/postgres/slot/heartbeat.ts'
import type { SlotHealth } from '../../connectors/postgres/slot/watch.ts'

/** What a source tells of itself while capture runs. */
export interface SourceObserver {
  /** After each look at the slot; null while there is none. */
  readonly onSlotHealth: (health: SlotHealth | null) => void
  /** A heartbeat came back. */
  readonly onHeartbeat: (heard: HeartbeatHeard) => void
  /** It wrote a line with this code to the log. */
  readonly onNotice: (code: string) => void
}

/** As the server calls them (pg_replication_slots.wal_status), the best first. */
const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'] as const

export function createSourceMetrics(registers: Registry[]): (source: string) => SourceObserver {
  const notices = new Counter({
    name: 'tributary_source_notices_total',
    help: 'What the source said of itself in the log, by code.',
    labelNames: ['source', 'code'],
    registers,
  })
  const heardAtMs = new Map<string, number>()
  const gauge = (name: string, help: string, ...labels: string[]) =>
    new Gauge({ name, help, labelNames: ['source', ...labels], registers })
  const retained = gauge('tributary_source_retained_bytes', 'Log that the source keeps because of our slot.')
  const limit = gauge('tributary_source_retained_limit_bytes', 'What it keeps at most before it gives the slot up.')
  const walStatus = gauge('tributary_source_wal_status', '1 for the state that the log of our slot is in.', 'status')
  const roundTrip = gauge('tributary_source_heartbeat_round_trip_seconds', 'What the last heartbeat took to come back.')
  new Gauge({
    name: 'tributary_source_heartbeat_age_seconds',
    help: 'Time since a heartbeat last came back through the slot.',
    labelNames: ['source'],
    registers,
    collect() {
      for (const [source, at] of heardAtMs) this.set({ source }, Math.max(0, (Date.now() - at) / 1000))
    },
  })
  return (source) => {
    // A counter that begins at 1 does not seem to increase.
    notices.inc({ source, code: 'history-lost' }, 0)
    return {
      onSlotHealth(health) {
        if (health === null) {
          retained.remove({ source })
          for (const status of WAL_STATUSES) walStatus.remove({ source, status })
        } else {
          retained.set({ source }, health.retainedBytes)
          for (const status of WAL_STATUSES) walStatus.set({ source, status }, status === health.walStatus ? 1 : 0)
        }
        if (health === null || health.limitBytes === null) limit.remove({ source })
        else limit.set({ source }, health.limitBytes)
      },
      onNotice: (code) => notices.inc({ source, code }),
      onHeartbeat(heard) {
        heardAtMs.set(source, heard.heardAtMs)
        roundTrip.set({ source }, heard.roundTripSeconds)
      },
    }
  }
}
