/** A process that starts a stack as `npm start` does, for tests that end it in bad ways. It writes a line per progress, and waits. */
import { startStack } from '../../../ops/stack/stack.ts'

const [dataDir, services] = process.argv.slice(2)
if (dataDir === undefined || services === undefined) throw new Error('usage: stack-parent.ts <dataDir> <services>')

await startStack({
  dataDir,
  durable: false,
  services: services.split(',') as ('redis' | 'postgres')[],
  onProgress: ({ service, state }) => console.log(`${service} ${state}`),
})
console.log('all ready')
process.stdin.resume() // until it is killed
