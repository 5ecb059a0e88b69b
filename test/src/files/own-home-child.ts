// Owns the home named by its argument, says so on one line, and lives until it is killed.
import { writeSync } from 'node:fs'
import { ownHome } from '../../../src/files/own-home.js'

const { epoch } = await ownHome(process.argv[2] ?? '')
writeSync(1, `${epoch}\n`)
