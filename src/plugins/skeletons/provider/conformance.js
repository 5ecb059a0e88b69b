// @ts-check
import { sampleHost, sampleJob } from 'persona-foundry/conformance'
import provider from './index.js'
import { startServer } from './server.js'

/**
 * What `foundry plugins test` opens for each of its checks: a fresh server, a connection to it, and what can be done to the server.
 * A control that is left out skips the checks that need it.
 *
 * @returns {Promise<import('persona-foundry/conformance').ProviderSubject>}
 */
export default async function open() {
  const server = await startServer()
  const times = { timeoutSeconds: 2, graceSeconds: 60, jobTimeoutSeconds: 60 }
  const reopen = () =>
    provider.open({ name: 'test', provider: '__short__', url: server.url, depth: 2, ...times }, sampleHost)
  const connection = await reopen()
  /** @param {Partial<typeof server.faults>} faults */
  const set = async faults => void Object.assign(server.faults, faults)
  return {
    connection,
    reopen,
    makeJob: seed => sampleJob(seed, { renderer: '__short__' }),
    makeBadJob: () => ({ ...sampleJob(1, { renderer: '__short__' }), id: 'jbad', width: 100_000 }),
    controls: {
      slowDown: jobMs => set({ jobMs }),
      failNext: () => set({ failNext: true }),
      loseNextAnswer: () => set({ loseNextAnswer: true }),
      truncateNextPicture: () => set({ truncateNextPicture: true }),
      withholdNextPicture: () => set({ withholdNextPicture: true }),
      restartEmpty: async () => server.restartEmpty(),
      stop: () => server.stop(),
      renders: async () => server.renders(),
    },
    async close() {
      await connection.close()
      await server.stop()
    },
  }
}
