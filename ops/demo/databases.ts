import postgres from 'postgres'

export interface DemoDatabases {
  readonly erp: string
  readonly warehouse: string
}

/** Makes the demo's two databases on a server where they are not there yet, and gives their addresses. */
export async function createDatabases(serverUrl: string): Promise<DemoDatabases> {
  for (const name of ['erp', 'warehouse']) await createDatabase(serverUrl, name)
  return { erp: urlOf(serverUrl, 'erp'), warehouse: urlOf(serverUrl, 'warehouse') }
}

/** Makes the database that an address names, on the server that it names, where it is not there yet. */
export async function createDatabaseOf(url: string): Promise<void> {
  await createDatabase(urlOf(url, 'postgres'), decodeURIComponent(new URL(url).pathname.slice(1)))
}

async function createDatabase(serverUrl: string, name: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, fetch_types: false, onnotice: () => {} })
  try {
    const [found] = await sql`SELECT 1 FROM pg_database WHERE datname = ${name}`
    if (!found) await sql`CREATE DATABASE ${sql(name)}`
  } finally {
    await sql.end()
  }
}

function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${database}`
  return url.toString()
}
