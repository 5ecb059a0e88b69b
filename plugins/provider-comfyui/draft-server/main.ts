import { parseArgs } from 'node:util'
import { startDraftServer } from './draft-server.js'
import type { DraftServerOptions } from './options.js'

/**
 * A draft server as a process of its own: `node …/draft-server/main.js --port 8188 --options '{"faults": {"jobMs": 200}}'`.
 * Prints one JSON line with the URL once it listens, and ends at SIGTERM or SIGINT.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'ledger-file': { type: 'string' },
    options: { type: 'string', default: '{}' },
  },
})
// The caller promises the shape of the options: this entry is for tests and benchmarks.
const options = JSON.parse(values.options) as DraftServerOptions
const ledgerFile = values['ledger-file']
const server = await startDraftServer({ ...options, port: Number(values.port), ...(ledgerFile && { ledgerFile }) })
process.stdout.write(`${JSON.stringify({ url: server.url, pid: process.pid })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void server.close().then(() => process.exit(0)))
}
