/** A child process: `tributary capture` or `tributary deliver` as it is, metrics included, with a counter watching. */
import { loadDeclaration } from '../../../ops/declaration/declaration.ts'
import { createEnvironment } from '../../../ops/process/environment.ts'
import { createLog } from '../../../ops/process/log.ts'
import { runProcess } from '../../../ops/process/run.ts'
import { entityTopic } from '../../../schemas/topics.ts'
import { createCounters } from './counters.ts'
import type { Order, PipelineNotice, PipelineOrder } from './messages.ts'
import { ENTITY } from './workload.ts'

const REPORT_EVERY_MS = 250

const order = JSON.parse(process.argv[2]!) as PipelineOrder
const tell = (notice: PipelineNotice) => process.connected && process.send!(notice)
const declaration = loadDeclaration(order.file, process.env)
const environment = createEnvironment(declaration, createLog('warn'))
const counters = createCounters(environment.registry, entityTopic(declaration.name, ENTITY), order.samples)
const stop = new AbortController()
// A benchmark that is gone asks for nothing any more.
process.on('disconnect', () => stop.abort())
process.on('message', (message: Order) => {
  if (message.kind === 'stop') stop.abort()
  else tell({ kind: 'samples', samples: counters.takeSamples() })
})
const reporting = setInterval(() => tell({ kind: 'report', report: counters.report() }), REPORT_EVERY_MS)
try {
  await runProcess(
    environment,
    {
      sources: order.sources,
      subscribers: order.subscribers,
      host: '127.0.0.1',
      port: 0,
      watcher: { capture: counters.capture, delivery: () => counters.delivery },
      onListening: () => tell({ kind: 'running' }),
    },
    stop.signal,
  )
} catch (error) {
  tell({ kind: 'failed', reason: (error as Error).message })
} finally {
  clearInterval(reporting)
  if (process.connected) process.disconnect()
}
