import { type BenchRun, fillWarehouse, seedRows, startCapture, startDelivery } from '../../support/run.ts'
import { insertRows } from '../../support/workload.ts'
import type { Bench } from './bench.ts'

/** Makes the source's rows and delivers them by tributary, until its ledger is certain of them. */
export async function fill({ stage, progress, options: { keys } }: Bench): Promise<void> {
  const run: BenchRun = { pipeline: stage.pipeline, progress, profileFolder: undefined }
  await stage.prepareTopic(stage.tributary)
  await insertRows(stage.pipeline.flow.source, 1, seedRows(keys))
  const capture = startCapture(run, false)
  const delivery = startDelivery(run, false)
  await fillWarehouse(run, capture, [delivery], keys)
  await Promise.all([capture.stop(), delivery.stop()])
}
