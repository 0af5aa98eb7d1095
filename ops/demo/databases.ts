import postgres from 'postgres'

export interface DemoDatabases {
  readonly erp: string
  readonly warehouse: string
}

/** Makes the demo's two databases on a server where they are not there yet, and gives their addresses. */
export async function createDatabases(serverUrl: string): Promise<DemoDatabases> {
  const sql = postgres(serverUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    for (const name of ['erp', 'warehouse']) {
      const [found] = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
      if (!found) await sql`CREATE DATABASE ${sql(name)}`
    }
  } finally {
    await sql.end()
  }
  return { erp: urlOf(serverUrl, 'erp'), warehouse: urlOf(serverUrl, 'warehouse') }
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.toString()
}
