import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { expect, vi } from 'vitest'

/** A database of its own for one test file, with a connection to look into it. */
export interface WarehouseDatabase {
  readonly url: string
  readonly sql: postgres.Sql
  drop(): Promise<void>
}

export async function createDatabase(purpose: string): Promise<WarehouseDatabase> {
  const server = process.env.TRIBUTARY_POSTGRES_URL!
  const name = `warehouse_${purpose}_${randomBytes(4).toString('hex')}`
  const admin = postgres(server, { max: 1, onnotice: () => undefined })
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const sql = postgres(url.href, { max: 4, onnotice: () => undefined })
  return {
    url: url.href,
    sql,
    drop: async () => {
      await sql.end()
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end()
    },
  }
}

/** Waits until that many connections of a destination wait for a lock. */
export async function untilWaiting({ sql }: WarehouseDatabase, applicationName: string, count = 1): Promise<void> {
  await vi.waitFor(
    async () => {
      const rows = await sql`SELECT 1 FROM pg_stat_activity
        WHERE application_name = ${applicationName} AND wait_event_type = 'Lock' AND datname = current_database()`
      expect(rows.length).toBe(count)
    },
    { timeout: 45_000, interval: 10 },
  )
}
