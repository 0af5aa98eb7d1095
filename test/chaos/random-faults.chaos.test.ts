import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defaultDataDir } from '../../ops/stack/data-folder.ts'
import { check } from './checker/check.ts'
import { failures } from './checker/verdict.ts'
import { saveHistory } from './histories/save.ts'
import { planRun } from './run/faults.ts'
import { ALWAYS, tellFailures } from './run/report.ts'
import { runChaos } from './run/run.ts'
import { startScene, startServers } from './run/scene.ts'
import { chosenSeed } from './workload/random.ts'

const CHAOS_MS = 1_000 * Number(process.env.CHAOS_SECONDS ?? 40)
const RUNS = Number(process.env.CHAOS_RUNS ?? 1)
const FIRST_SEED = chosenSeed()

for (let run = 0; run < RUNS; run++) {
  const seed = FIRST_SEED + run
  test(`under any workload and any faults, what was recorded breaks no guarantee (SEED=${seed})`, {
    timeout: CHAOS_MS + 1_200_000,
  }, async () => {
    const servers = await startServers()
    onTestFinished(() => servers.close(), 120_000)
    const events: string[] = []
    const scene = await startScene(servers, planRun(seed))
    onTestFinished(() => scene.close(), 120_000)
    const history = await runChaos(scene, { seed, forMs: CHAOS_MS, onEvent: (text) => events.push(text) })
    const failed = failures(check(history), ALWAYS)
    if (failed.length === 0) return
    const folder = join(defaultDataDir(process.env), 'chaos', `seed-${seed}`)
    await saveHistory(folder, history)
    expect.fail(`SEED=${seed}, histories in ${folder}\n${events.join('\n')}\n${tellFailures(failed)}`)
  })
}
