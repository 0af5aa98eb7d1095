/** Tries to take the lock of a data folder, says how it went, and holds it until its input ends. */
import { dataFolder } from '../../../ops/stack/data-folder.ts'
import { takeLock } from '../../../ops/stack/supervision/lock.ts'
import { identify } from '../../../ops/stack/supervision/process-identity.ts'

try {
  await takeLock(dataFolder(process.argv[2]!), identify(process.pid)!)
  console.log('taken')
} catch {
  console.log('locked')
}
process.stdin.resume()
