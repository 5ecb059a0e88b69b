#!/usr/bin/env node
import { createProgram } from './program.js'
import { exitCodeOf } from './exit-codes.js'
import { createTerminal } from './terminal.js'

const json = process.argv.includes('--json')
process.stdout.on('error', error => {
  // The reader of a pipe went away: nothing is left to say.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
  throw error
})

try {
  process.exitCode = await createProgram()(process.argv)
} catch (error) {
  createTerminal({ json, colour: process.env['NO_COLOR'] === undefined }).fail(error)
  process.exitCode = exitCodeOf(error)
}
