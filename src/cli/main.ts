#!/usr/bin/env node
import { exitCodeOf } from './exit-codes.js'
import { createProgram } from './program.js'
import { createTerminal } from './terminal.js'

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', error => {
    // The reader of a pipe went away: what is left to say is lost, and the work goes on to its own exit code.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  })
}

try {
  process.exitCode = await createProgram()(process.argv)
} catch (error) {
  createTerminal({ json: process.argv.includes('--json'), colour: !process.env['NO_COLOR'] }).fail(error)
  process.exitCode = exitCodeOf(error)
}
