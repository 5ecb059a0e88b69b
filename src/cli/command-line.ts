import { exitCodeOf } from './exit-codes.js'
import { createProgram } from './program.js'
import { createTerminal } from './terminal.js'

/** Runs one command line, `argv` as Node gives it, and answers its exit code; a failure is told on stderr, or as JSON on stdout. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  try {
    return await createProgram()(argv)
  } catch (error) {
    createTerminal({ json: argv.includes('--json'), colour: !process.env['NO_COLOR'] }).fail(error)
    return exitCodeOf(error)
  }
}
