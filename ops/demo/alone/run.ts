import { reportOf } from '../../cli/report.ts'

/** Runs a part of the demo as a process: what it throws is told in a line, and sets the exit code. */
export async function run(part: () => Promise<void>): Promise<void> {
  try {
    await part()
  } catch (error) {
    const { message, exitCode } = reportOf(error)
    console.error(message)
    process.exitCode = exitCode
  }
}
