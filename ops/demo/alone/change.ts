import { untilAskedToStop } from '../../process/signals.ts'
import { runWorkload } from '../workload.ts'
import { address } from './address.ts'
import { run } from './run.ts'

/** As in `npm start`. */
const CHANGES_PER_SECOND = 20
const SEED = 7

/** Business as usual on the demo's ERP, until SIGTERM or SIGINT. */
await run(async () => {
  const signal = untilAskedToStop()
  const { changes } = await runWorkload(address('ERP_URL', process.env), {
    changesPerSecond: CHANGES_PER_SECOND,
    seed: SEED,
    signal,
    onOutage: () => console.error('The ERP is away; trying on.'),
  })
  console.log(`${changes} rows changed.`)
})
