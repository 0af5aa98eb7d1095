import { afterAll, beforeAll } from 'vitest'
import { DELETE_POLICIES } from '../../../connectors/destination.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { destinationContract } from '../../contract/destination-contract.ts'
import { createDatabase, type WarehouseDatabase } from './warehouse-database.ts'

let database: WarehouseDatabase
beforeAll(async () => {
  database = await createDatabase('contract')
})
afterAll(async () => {
  await database.drop()
})

destinationContract('the warehouse', { policies: DELETE_POLICIES, comparesVersions: true }, async (mapping) => {
  const { sql, url } = database
  const destination = createWarehouse({
    name: 'contract',
    url,
    schema: 'Ware house',
    mappings: [mapping],
    connections: 2,
  })
  await destination.provision()
  const alive = mapping.onDelete === 'soft' ? sql`AND tributary_deleted_at IS NULL` : sql``
  return {
    destination,
    read: async (key) => {
      const [row] = await sql`SELECT name, visits, note FROM ${sql('Ware house')}.${sql(mapping.target)}
        WHERE tributary_key = ${key} ${alive}`
      return row && { name: row.name, visits: row.visits === null ? null : BigInt(row.visits), note: row.note }
    },
    close: () => destination.close(),
  }
})
