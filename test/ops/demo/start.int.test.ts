import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished, test } from 'vitest'
import type { OneChangeView } from '../../../ops/demo/view/one-change.ts'
import type { SubscriberView } from '../../../ops/demo/view/subscribers.ts'
import { withoutAddresses } from '../../../ops/stack/addresses.ts'
import { serversDir } from '../../../ops/stack/data-folder.ts'

interface Told {
  readonly stage: string
  readonly subscribers: readonly SubscriberView[]
  readonly oneChange: OneChangeView | null
}

const WAIT_MS = 240_000

test('the demo shows one change at three subscribers, then one failing and catching up while the others go on', {
  timeout: 2 * WAIT_MS,
}, async ({ expect }) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-demo-'))
  onTestFinished(async () => await rm(dataDir, { recursive: true, force: true }))
  const servers = serversDir(process.env)
  if (existsSync(servers)) await symlink(servers, join(dataDir, 'servers'))
  // Its stack is its own: the pipeline of the demo has one name.
  const env = { ...withoutAddresses(process.env), TRIBUTARY_DATA_DIR: dataDir }
  const options = ['--json', '--customers', '150', '--fail-after', '3', '--fail-for', '12']
  const child = spawn(process.execPath, ['ops/demo/start.ts', ...options], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk).slice(-5_000)
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    if (child.exitCode === null) child.kill('SIGKILL')
    await exited
  })

  const deadline = setTimeout(() => child.kill('SIGINT'), WAIT_MS)
  const seen = { patches: [] as string[][], down: false, othersWhileDown: new Set<string>(), healed: false }
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as Told
    const arrivals = told.oneChange?.arrivals ?? []
    const isEverywhere = arrivals.length === 3 && arrivals.every(({ state }) => state === 'arrived')
    if (isEverywhere) seen.patches = arrivals.map(({ patch }) => patch!.fields.map(({ name }) => name))
    const store = told.subscribers.find(({ name }) => name === 'store')!
    if (store.state === 'down') {
      seen.down = true
      for (const { name, state } of told.subscribers) if (state === 'ok') seen.othersWhileDown.add(name)
    }
    if (store.outage?.caughtUpMs != null) seen.healed = true
    if (seen.healed && seen.patches.length > 0) child.kill('SIGINT')
  }
  clearTimeout(deadline)
  const [code] = (await exited) as [number | null]
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(seen.patches).toEqual([
    expect.arrayContaining(['credit_limit']),
    ['creditlimit'],
    ['metafields.custom.credit'],
  ])
  expect(seen).toMatchObject({ down: true, healed: true })
  expect([...seen.othersWhileDown].sort()).toEqual(['crm', 'warehouse'])
  expect(existsSync(join(dataDir, 'demo'))).toBe(false)
})
