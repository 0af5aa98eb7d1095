import net from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { ask, ITEM, items, openTransaction } from '../items.ts'
import { collect, isSnapshotDone, sourceFor, until } from '../own-database.ts'

/** A way to the server that can fall silent: nothing passes any more, and nothing is closed. */
async function silentWay(url: string) {
  const target = new URL(url)
  const sockets: net.Socket[] = []
  let silent = false
  const server = net.createServer((near) => {
    const far = net.connect(Number(target.port), target.hostname)
    for (const socket of [near, far]) {
      sockets.push(socket)
      socket.on('error', () => {})
    }
    const pass = (from: net.Socket, to: net.Socket) => {
      from.on('data', (bytes) => void (silent || to.write(bytes)))
      from.on('close', () => void (silent || to.destroy()))
    }
    pass(near, far)
    pass(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const way = new URL(url)
  way.port = String((server.address() as net.AddressInfo).port)
  return {
    url: way.href,
    fallSilent: () => {
      silent = true
    },
  }
}

test('an abort ends the wait for a point although the server has fallen silent', async () => {
  const database = await items(10)
  const { sql, slot } = database
  const way = await silentWay(database.url)
  const source = sourceFor({ ...database, url: way.url }, [ITEM])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  const long = await openTransaction(database, 'UPDATE item SET n = -1 WHERE id = 1')
  await ask(database, 'item')
  await until('a point is being taken', async () => {
    const [row] = await sql`SELECT FROM pg_replication_slots WHERE slot_name LIKE ${`${slot.slice(0, 40)}\\_snapshot%`}`
    return row !== undefined
  })
  way.fallSilent()
  await seen.stop()
  expect(seen.failure()).toBeUndefined()
  await long.commit()
})
