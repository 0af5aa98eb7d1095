import { expect, onTestFinished, test } from 'vitest'
import { startHttpSandbox } from '../../connectors/http/sandbox.ts'
import type { Sandbox } from '../../connectors/http/sandbox-server.ts'
import { SANDBOX_TOKEN, startShopifySandbox } from '../../connectors/shopify/sandbox.ts'
import { sendLoad } from '../bench/support/load.ts'
import { eventually } from '../support/flow.ts'
import { untilQuiet } from '../support/quiet.ts'
import { revisionsAtCrm, revisionsAtStore } from './outage/revisions.ts'
import { lettersEver, metricOf, revisionsAtSource, revisionsAtWarehouse, startOutageScene } from './outage/scene.ts'
import { goneBack, type Sighting, sightingAtCrm, sightingAtStore } from './outage/sightings.ts'

const KEYS = 200
const RATE = 200
const SECONDS = 60
const CHANGES = RATE * SECONDS
/** A request that was under way when the store went down, and each probe, holds a record that others of its key join when it comes back. */
const JOINED_OTHERWISE_MAX = 500

test('a store that is down holds up nobody; when it is back it catches up by itself, coalescing, in order, without dead letters', {
  timeout: 400_000,
}, async () => {
  const crm = await startHttpSandbox()
  // What is tried is an outage, not the points of a plan.
  const store = await startShopifySandbox({ maximumAvailable: 1_000_000, restoreRate: 100_000 })
  onTestFinished(async () => {
    await Promise.all([crm.close(), store.close()])
  })
  const reached = { url: store.url, token: SANDBOX_TOKEN, probeEvery: '1s..3s' }
  const { flow, processes } = await startOutageScene(KEYS, crm.url, reached)
  onTestFinished(() => flow.close(), 120_000)
  const log = () => processes.store.log().slice(-5_000)

  await store.misbehave({ down: true })
  const before = store.requests.length
  await sendLoad(flow.source, { rate: RATE, seconds: SECONDS, keys: KEYS, first: 1 }, () => {})
  const wanted = await revisionsAtSource(flow)
  expect(Object.values(wanted).every((revision) => Number(revision) > CHANGES - KEYS)).toBe(true)
  await eventually(
    async () => same(await revisionsAtWarehouse(flow), wanted) && same(revisionsAtCrm(crm.objects('products')), wanted),
    'the CRM and the warehouse have every change while the store is down',
    120_000,
  )
  const coalesced = () => metricOf(processes.store, 'tributary_records_coalesced_total')
  await eventually(
    async () => (await coalesced()) >= CHANGES - KEYS - JOINED_OTHERWISE_MAX,
    'what waits for the store has become one record a key',
    120_000,
  )
  const refused = () => metricOf(processes.store, 'tributary_answers_total')
  const refusedThen = await refused()
  await eventually(
    async () => (await refused()) > refusedThen + 1,
    'the newest change of some keys is tried in vain as well',
  )
  expect(same(revisionsAtStore(store.objects('product')), wanted)).toBe(false)
  expect(store.requests.length, 'the store was down').toBe(before)

  await store.misbehave({})
  await eventually(
    () => same(revisionsAtStore(store.objects('product')), wanted),
    () => `the store catches up\n${log()}`,
    120_000,
  )
  await untilQuiet(flow)
  const sent = sightingsOf(store, sightingAtStore).filter(({ revision }) => revision > 0)
  expect(sent.length, 'requests that the changes of the outage cost').toBeLessThan(CHANGES / 4)
  expect(goneBack(sightingsOf(store, sightingAtStore))).toEqual([])
  expect(goneBack(sightingsOf(crm, sightingAtCrm))).toEqual([])
  expect(await lettersEver(flow)).toEqual({ crm: 0, store: 0, warehouse: 0 })
})

function same(there: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(wanted)
  return keys.length === Object.keys(there).length && keys.every((key) => there[key] === wanted[key])
}

function sightingsOf({ requests }: Sandbox, sighting: typeof sightingAtCrm): Sighting[] {
  return requests.flatMap((request) => sighting(request) ?? [])
}
