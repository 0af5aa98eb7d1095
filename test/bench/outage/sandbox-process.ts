/** A child process: a subscriber's sandbox, which tells what it was sent, as its own log has it. */
import { setTimeout as wait } from 'node:timers/promises'
import { startHttpSandbox } from '../../../connectors/http/sandbox.ts'
import { SANDBOX_TOKEN, startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { revisionsAtCrm, revisionsAtStore } from '../../chaos/outage/revisions.ts'
import { sightingAtCrm, sightingAtStore } from '../../chaos/outage/sightings.ts'
import type { SandboxKind, SandboxNotice, SandboxOrder } from './sandbox-child.ts'

const LOOK_MS = 100
/** What is tried is an outage, not the points of a plan: no plan gives enough for 200 changes a second. */
const POINTS = { maximumAvailable: 1_000_000, restoreRate: 100_000 }

const SYSTEMS = {
  crm: {
    start: () => startHttpSandbox(),
    sighting: sightingAtCrm,
    revisions: revisionsAtCrm,
    target: 'products',
  },
  store: {
    start: () => startShopifySandbox(POINTS),
    sighting: sightingAtStore,
    revisions: revisionsAtStore,
    target: 'product',
  },
}

const { start, sighting, revisions, target } = SYSTEMS[process.argv[2] as SandboxKind]
const tell = (notice: SandboxNotice) => process.connected && process.send!(notice)
const sandbox = await start()
const stop = new AbortController()
process.on('disconnect', () => stop.abort())
process.on('message', ({ kind }: SandboxOrder) => {
  if (kind === 'revisions') tell({ kind, revisions: revisions(sandbox.objects(target)) })
  else void sandbox.misbehave({ down: kind === 'down' }).then(() => tell({ kind }))
})
tell({ kind: 'started', url: sandbox.url, token: SANDBOX_TOKEN })

let told = 0
while (!stop.signal.aborted) {
  const { requests } = sandbox
  const from = told + 1 - (requests[0]?.number ?? 1)
  if (from < 0) throw new Error('more requests came than the log holds')
  const under = requests.findIndex(({ result }, index) => index >= from && result === null)
  const ended = requests.slice(from, under < 0 ? undefined : under)
  if (ended.length > 0) {
    told += ended.length
    tell({ kind: 'seen', sightings: ended.flatMap((request) => sighting(request) ?? []) })
  }
  await wait(LOOK_MS)
}
await sandbox.close()
