import { openConnection } from '../../../plugins/provider-comfyui/connection.js'
import { startDraftServer } from '../../../plugins/provider-comfyui/draft-server/draft-server.js'
import { testProvider } from '../../conformance/suites.js'
import { makeHost, makeJob, makeServer, sampledGraph } from './make-job.js'
import { quick } from './start-connection.js'

const target = { renderer: 'draft', family: 'sd15', workflow: 'small' }

for (const version of ['0.3.64', '0.12.1'] as const) {
  testProvider(`comfyui with a draft server as ${version}`, async () => {
    const server = await startDraftServer({ version, faults: { prepared: true } })
    const open = () => openConnection(makeServer(server.url, { timeoutSeconds: 2 }), makeHost(), quick)
    const connection = await open()
    return {
      connection,
      reopen: open,
      makeJob: seed => makeJob({ id: `jseed${seed}`, target, graph: sampledGraph(seed) }),
      makeBadJob() {
        const graph = sampledGraph(1)
        Object.assign(graph['5']?.inputs ?? {}, { width: 100_000 })
        return makeJob({ id: 'jbad', target, graph })
      },
      controls: {
        slowDown: async jobMs => server.setFaults({ jobMs }),
        failNext: async () => server.setFaults({ failNext: 1 }),
        loseNextAnswer: async () => server.setFaults({ postLost: 1 }),
        truncateNextPicture: async () => server.setFaults({ viewTruncated: 1 }),
        // The history then tells nothing; the socket would.
        withholdNextPicture: async () => server.setFaults({ noOutputs: 1, silentSockets: true }),
        dropEvents: async () => server.setFaults({ dropSocketsEveryMs: 10 }),
        silenceEvents: async () => server.setFaults({ silentSockets: true }),
        restartEmpty: async () => server.restart(),
        stop: () => server.close(),
        renders: async () => server.ledger.length,
      },
      async close() {
        await connection.close()
        await server.close()
      },
    }
  })
}
