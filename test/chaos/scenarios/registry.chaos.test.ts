import { readFileSync } from 'node:fs'
import { Partitioners } from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { valueSubject } from '../../../schemas/avro.ts'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import { eventually, required } from '../../support/flow.ts'
import { openRegistryWay } from '../../support/proxies/registry-way.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { countRecords } from '../../support/topics/topic-history.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { endWell, expectGuarantees, openScene, put, type Scene, untilHeld } from './scene.ts'

async function openRegistryScene() {
  const way = await openRegistryWay(required('TRIBUTARY_REGISTRY_URL'))
  onTestFinished(() => way.close())
  const sql = warehouse()
  const scene = await openScene([sql])
  onTestFinished(() => scene.close(), 120_000)
  const through = { TRIBUTARY_REGISTRY_URL: way.url }
  const start = async () => ({
    capture: scene.start(through, 'capture', 'erp'),
    delivery: await scene.deliver(sql, through),
  })
  return { way, sql, scene, start }
}

/**
 * both run → the registry is away → a change → both are ended and started again → a change → the registry answers nothing → it is back. Then it
 * has forgotten the schema's id when a new delivery asks for it → a change becomes a dead letter → it knows it again → the next change of the key
 * takes one letter away, a replay the other.
 */
test('a registry that is away stops nobody who runs; one that forgot an id makes dead letters, which end once it knows it', {
  timeout: 400_000,
}, async () => {
  const { way, sql, scene, start } = await openRegistryScene()
  const { flow } = scene
  const first = await start()
  await put(flow, 'k', 'first')
  await untilHeld(scene, sql, 'k', 'first')

  way.become('away')
  await put(flow, 'k', 'while it is away')
  await untilHeld(scene, sql, 'k', 'while it is away')
  await endWell(scene, first.capture, first.delivery)
  const second = await start()
  for (const [name, one] of Object.entries(second))
    await eventually(() => /schema registry at .* does not answer/.test(one.log()), `${name} says what it waits for`)
  way.become('silent')
  await put(flow, 'k', 'while it is silent')
  way.become(null)
  await untilHeld(scene, sql, 'k', 'while it is silent')
  await endWell(scene, second.delivery)

  way.become('forgetful')
  const third = await scene.deliver(sql, { TRIBUTARY_REGISTRY_URL: way.url })
  await put(flow, 'k', 'unreadable')
  await put(flow, 'other', 'unreadable')
  const letters = deadLetterTopic(flow.prefix, 'warehouse')
  await eventually(
    async () => (await countRecords(flow, letters)) === 2,
    () => `both are dead letters\n${scene.story()}`,
  )
  expect((await sql.held(flow)).get('k')?.name).toBe('while it is silent')
  way.become(null)
  await put(flow, 'k', 'readable')
  await untilHeld(scene, sql, 'k', 'readable')
  const replayed = await flow.run('dlq', 'replay', 'warehouse', '--json')
  expect(replayed.code, replayed.stdout + replayed.stderr).toBe(0)
  await expectGuarantees(scene)
  await endWell(scene, second.capture, third)
})

/**
 * both run → someone lets the subject take anything and registers a schema that no delta has → a record of it → a declaration that contradicts what is
 * registered is provisioned, and a capture started with it, beside those that run.
 */
test('an incompatible schema in mid-run concerns its own record and the declaration that wants it, and nothing that runs', {
  timeout: 400_000,
}, async () => {
  const { sql, scene, start } = await openRegistryScene()
  const { flow } = scene
  const { capture, delivery } = await start()
  await put(flow, 'k', 'first')
  await untilHeld(scene, sql, 'k', 'first')

  const id = await registerStranger(valueSubject(`${flow.prefix}.item`))
  await append(scene, 'stranger', Buffer.concat([Buffer.from([0]), int32(id), Buffer.from([2, 2, 2, 2, 2, 2, 2, 2])]))
  await put(flow, 'k', 'second')
  await untilHeld(scene, sql, 'k', 'second')
  const letters = deadLetterTopic(flow.prefix, 'warehouse')
  await eventually(async () => (await countRecords(flow, letters)) === 1, "the stranger's record is a dead letter")

  const declared = readFileSync(flow.file, 'utf8')
  flow.writeDeclaration(declared.replace('detail: string', 'detail: int64'))
  const provisioned = await flow.run('provision', '--json')
  expect(provisioned.code, provisioned.stdout + provisioned.stderr).toBe(2)
  expect(provisioned.stdout).toContain('schema-incompatible')
  const contradicting = scene.start({}, 'capture', 'erp')
  expect(await contradicting.exited, contradicting.log()).not.toBe(0)
  flow.writeDeclaration(declared)
  await put(flow, 'k', 'third')
  await untilHeld(scene, sql, 'k', 'third')
  await untilQuiet(flow)
  await append(scene, 'stranger', null)
  await endWell(scene, capture, delivery)
})

/** Registers what is no delta under a subject, as someone with too many rights would. @returns its id */
async function registerStranger(subject: string): Promise<number> {
  const ask = async (method: string, path: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(required('TRIBUTARY_REGISTRY_URL') + path, {
      method,
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify(body),
    })
    expect(answer.status, path).toBe(200)
    return (await answer.json()) as Record<string, unknown>
  }
  const path = encodeURIComponent(subject)
  await ask('PUT', `/config/${path}`, { compatibility: 'NONE' })
  const fields = [{ name: 'detail', type: 'long' }]
  const schema = JSON.stringify({ type: 'record', name: 'Stranger', fields })
  return Number((await ask('POST', `/subjects/${path}/versions`, { schema })).id)
}

async function append({ flow }: Scene, key: string, value: Buffer | null): Promise<void> {
  const stranger = flow.environment().kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await stranger.connect()
  await stranger.send({ topic: `${flow.prefix}.item`, messages: [{ key, value }] })
  await stranger.disconnect()
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
