import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createDataFolder, type DataFolder, dataFolder } from '../../../ops/stack/data-folder.ts'
import { choosePorts, configuredPorts } from '../../../ops/stack/ports.ts'

async function emptyFolder(): Promise<DataFolder> {
  const root = await mkdtemp(join(tmpdir(), 'tributary-ports-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const folder = dataFolder(root)
  await createDataFolder(folder)
  return folder
}

async function occupy(port: number): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
}

test('a stack keeps its ports from one start to the next', async () => {
  const folder = await emptyFolder()
  const first = await choosePorts(folder, ['kafka', 'redis'], {})
  expect(await choosePorts(folder, ['kafka', 'redis'], {})).toEqual(first)
})

test('starting some of the servers does not forget the ports of the others', async () => {
  const folder = await emptyFolder()
  const first = await choosePorts(folder, ['kafka', 'redis'], {})
  await choosePorts(folder, ['redis'], {})
  expect(await choosePorts(folder, ['kafka'], {})).toEqual({ kafka: first.kafka })
})

test('a port that was taken meanwhile is replaced', async () => {
  const folder = await emptyFolder()
  const first = await choosePorts(folder, ['redis'], {})
  await occupy(first.redis!)
  const second = await choosePorts(folder, ['redis'], {})
  expect(second.redis).not.toBe(first.redis)
})

test('a configured port wins over the one used before', async () => {
  const folder = await emptyFolder()
  await choosePorts(folder, ['redis'], {})
  const { redis: free } = await choosePorts(await emptyFolder(), ['redis'], {})
  expect(await choosePorts(folder, ['redis'], { redis: free! })).toEqual({ redis: free })
})

test('a configured port that is taken is an error that names its variable', async () => {
  const folder = await emptyFolder()
  const { redis: port } = await choosePorts(folder, ['redis'], {})
  await occupy(port!)
  await expect(choosePorts(folder, ['redis'], { redis: port! })).rejects.toMatchObject({
    code: 'stack-failed',
    message: expect.stringContaining('TRIBUTARY_REDIS_PORT'),
  })
})

test('two servers cannot be configured to one port', async () => {
  const { redis: free } = await choosePorts(await emptyFolder(), ['redis'], {})
  const same = { kafka: free!, redis: free! }
  await expect(choosePorts(await emptyFolder(), ['kafka', 'redis'], same)).rejects.toMatchObject({
    code: 'stack-failed',
  })
})

test.each(['0', '65536', '-1', '80a', '1.5'])('%s is not a port', (text) => {
  expect(() => configuredPorts({ TRIBUTARY_KAFKA_PORT: text })).toThrow(/TRIBUTARY_KAFKA_PORT/)
})

test('an empty variable asks for no port', () => {
  expect(configuredPorts({ TRIBUTARY_KAFKA_PORT: '', TRIBUTARY_REDIS_PORT: '6379' })).toEqual({ redis: 6379 })
})
