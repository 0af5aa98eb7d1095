import { untilSlotPasses } from './capture.ts'
import type { DeliveryReport } from './support/messages.ts'
import {
  type BenchRun,
  type Drain,
  drainBare,
  drainOf,
  fillWarehouse,
  isDrained,
  seedRows,
  startCapture,
  startDelivery,
} from './support/run.ts'
import { median, round } from './support/statistics.ts'
import { countDifferences, insertRows, makeChanges } from './support/workload.ts'

export interface DeliverOptions {
  readonly rows: number
  readonly keys: number
  readonly rounds: number
  /** Changes of one transaction. */
  readonly transactionRows: number
}

interface Delivered extends Drain {
  readonly seconds: number
  readonly delivery: DeliveryReport
  readonly bytesPerRecord: number
}

/**
 * Drains a backlog of deltas into a warehouse that already has every row, as its ledger knows: the patches are partial. Each round
 * makes new changes, captures them, and reads the same changes with the bare reader for the ratio. Measured from the first fetch
 * until the last batch is settled in the ledger. At the end every row is compared.
 * @throws Error when a row differs: the figures are void
 */
export async function benchDeliver(run: BenchRun, { rows, keys, rounds, transactionRows }: DeliverOptions) {
  const { pipeline, progress } = run
  const { flow, slot } = pipeline
  await insertRows(flow.source, 1, seedRows(keys))
  const capture = startCapture(run, false)
  const first = startDelivery({ ...run, profileFolder: undefined }, false)
  await fillWarehouse(run, capture, [first], keys)
  await first.stop()

  const bare: Drain[] = []
  const delivered: Delivered[] = []
  let captured = keys
  let bytes = capture.report!.capture.bytes
  for (let number = 1; number <= rounds; number++) {
    await untilSlotPasses(run)
    const backlogSlot = `${flow.prefix}_backlog_${number}`
    await pipeline.copySlot(slot, backlogSlot)
    progress.step(`Round ${number} of ${rounds}: making and capturing ${rows.toLocaleString('en')} changes`)
    await makeChanges(flow.source, { first: 1 + (number - 1) * rows, count: rows, keys, transactionRows }, () => {})
    captured += rows
    const report = await capture.until(
      (now) => now.capture.records >= captured,
      (now) => progress.update(now.capture.records - captured + rows, rows),
    )
    const bytesPerRecord = (report.capture.bytes - bytes) / rows
    bytes = report.capture.bytes
    progress.step(`Round ${number} of ${rounds}: the bare reader`)
    bare.push(await drainBare(run, backlogSlot, rows))
    await pipeline.dropSlot(backlogSlot)
    progress.step(`Round ${number} of ${rounds}: deliver`)
    delivered.push({ ...(await drainDelivery(run, rows)), bytesPerRecord })
  }
  await capture.stop()
  progress.step('Comparing every row')
  const differences = await countDifferences(flow.source, flow.warehouse)
  progress.end()
  if (differences > 0) throw new Error(`${differences} of ${keys} rows differ at the warehouse: this run is void`)
  return figuresOf({ rows, keys, rounds, transactionRows }, bare, delivered)
}

function figuresOf(options: DeliverOptions, bare: readonly Drain[], delivered: readonly Delivered[]) {
  const middle = (figure: (one: Delivered) => number) => round(median(delivered.map(figure)))
  const rate = median(delivered.map(({ recordsPerSecond }) => recordsPerSecond))
  const bareRate = median(bare.map(({ recordsPerSecond }) => recordsPerSecond))
  return {
    ...options,
    rowsEqual: true,
    recordsPerSecond: round(rate),
    bareRecordsPerSecond: round(bareRate),
    ratio: round(rate / bareRate),
    patchesPerSecond: middle(({ delivery, seconds }) => delivery.patches / seconds),
    coalesced: middle(({ delivery }) => delivery.coalesced),
    coalescedShare: middle(({ delivery }) => delivery.coalesced / delivery.received),
    gatedStale: middle(({ delivery }) => delivery.stale),
    gatedUnchanged: middle(({ delivery }) => delivery.unchanged),
    patches: middle(({ delivery }) => delivery.patches),
    fullPatches: middle(({ delivery }) => delivery.fullPatches),
    fieldsPerPatch: middle(({ delivery }) => delivery.fields / delivery.patches),
    patchesPerBatch: middle(({ delivery }) => delivery.patches / delivery.batches),
    ledgerMsPerBatch: middle(({ delivery }) => delivery.ledgerMs / delivery.batches),
    applyMsPerBatch: middle(({ delivery }) => delivery.applyMs / delivery.batches),
    otherAnswers: delivered[0]!.delivery.otherAnswers,
    deadLetters: delivered.reduce((sum, { delivery }) => sum + delivery.deadLetters, 0),
    bytesPerRecord: middle(({ bytesPerRecord }) => bytesPerRecord),
    maxRssMb: round(Math.max(...delivered.map(({ maxRssMb }) => maxRssMb))),
    cpuSeconds: middle(({ cpuSeconds }) => cpuSeconds),
    recordsPerSecondByRound: delivered.map(({ recordsPerSecond }) => round(recordsPerSecond)),
    bareRecordsPerSecondByRound: bare.map(({ recordsPerSecond }) => round(recordsPerSecond)),
  }
}

async function drainDelivery(run: BenchRun, rows: number) {
  const child = startDelivery(run, false)
  const report = await child.until(
    (report) => isDrained(report, rows),
    ({ delivery }) => run.progress.update(delivery.received, rows),
  )
  await child.stop()
  const { delivery } = report
  const seconds = (delivery.settledAtMs! - delivery.receivedAtMs!) / 1000
  return { ...drainOf(report, delivery.received, seconds * 1000), seconds, delivery }
}
