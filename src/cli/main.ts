#!/usr/bin/env node
import { runCommandLine } from './command-line.js'

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', error => {
    // The reader of a pipe went away: what is left to say is lost, and the work goes on to its own exit code.
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  })
}

process.exitCode = await runCommandLine(process.argv)
