import { parseArgs } from 'node:util'
import { startDraftServer } from './draft-server.js'
import type { DraftServerOptions } from './options.js'

/**
 * A draft server as a process of its own: `node …/draft-server/main.js --port 8188 --options '{"faults": {"jobMs": 200}}'`; with
 * a list of options one server for each, all in this process. Prints one JSON line with the URLs once they listen, and ends at
 * SIGTERM or SIGINT.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'ledger-file': { type: 'string' },
    options: { type: 'string', default: '{}' },
  },
})
// The caller promises the shape of the options: this entry is for tests and benchmarks.
const given = JSON.parse(values.options) as DraftServerOptions | DraftServerOptions[]
const ledgerFile = values['ledger-file']
const alone = { port: Number(values.port), ...(ledgerFile && { ledgerFile }) }
const servers = await Promise.all(
  Array.isArray(given) ? given.map(each => startDraftServer(each)) : [startDraftServer({ ...given, ...alone })],
)
const urls = servers.map(each => each.url)
process.stdout.write(`${JSON.stringify({ url: urls[0], urls, pid: process.pid })}\n`)
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void Promise.all(servers.map(each => each.close())).then(() => process.exit(0)))
}
