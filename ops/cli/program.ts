import { Command } from 'commander'
import { blobsCommand } from '../blobs/command.ts'
import { deadLettersCommand } from '../dead-letters/command.ts'
import { validateCommand } from '../declaration/command.ts'
import { doctorCommand } from '../doctor/command.ts'
import { lagCommand } from '../lag/command.ts'
import { previewCommand } from '../preview/command.ts'
import { captureCommand, deliverCommand, exporterCommand, runCommand } from '../process/command.ts'
import { provisionCommand } from '../provision/command.ts'
import { recoverCommand } from '../recover/command.ts'
import { reportCommand } from '../report/command.ts'
import { resyncCommand } from '../resync/command.ts'
import { rewindCommand } from '../rewind/command.ts'
import { snapshotCommand } from '../snapshot/command.ts'
import { stackCommand } from '../stack/command.ts'
import { statusCommand } from '../status/command.ts'
import { subscriberCommand } from '../subscriber/command.ts'
import { traceCommand } from '../trace/command.ts'
import { verifyCommand } from '../verify/command.ts'

/** The command line, as yet without anything that acts: also what its reference is made of. */
export function createProgram(): Command {
  const program = new Command('tributary').description(
    'Change data capture and pub-sub over Kafka: every change once, in order per key, at every subscriber.',
  )
  for (const command of [
    validateCommand(),
    provisionCommand(),
    doctorCommand(),
    runCommand(),
    captureCommand(),
    deliverCommand(),
    exporterCommand(),
    statusCommand(),
    lagCommand(),
    traceCommand(),
    reportCommand(),
    snapshotCommand(),
    recoverCommand(),
    verifyCommand(),
    deadLettersCommand(),
    resyncCommand(),
    rewindCommand(),
    previewCommand(),
    subscriberCommand(),
    blobsCommand(),
    stackCommand(),
  ])
    program.addCommand(command)
  return program
}
