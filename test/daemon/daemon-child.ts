import { runDaemon } from '../../src/cli/daemon-command.js'
import { createTerminal } from '../../src/cli/terminal.js'
import { type ConfigFlags, loadConfig } from '../../src/config/config.js'

/** The daemon as a process of its own, with flags as JSON. */
const flags = JSON.parse(process.argv[2] ?? '{}') as ConfigFlags
const terminal = createTerminal({ json: false, colour: false })
try {
  process.exitCode = await runDaemon(await loadConfig(flags, process.env, '0.0.0-test'), terminal)
} catch (error) {
  terminal.fail(error)
  process.exitCode = 1
}
