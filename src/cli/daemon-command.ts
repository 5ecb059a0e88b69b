import { createServer } from 'node:http'
import { checkAddress, createApi } from '../api/server.js'
import { createEventHub, type EventHub } from '../api/events.js'
import type { Config } from '../config/config.js'
import { createLog, openFoundry } from '../daemon.js'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { makeFolder } from '../files/durable.js'
import { Intake } from '../intake/intake.js'
import { submit } from '../operations/submit.js'
import { exitCodes } from './exit-codes.js'
import type { Terminal } from './terminal.js'

/** Runs until SIGTERM or SIGINT, or until the journal can no longer be written. Answers the exit code. */
export async function runDaemon(config: Config, terminal: Terminal): Promise<number> {
  checkAddress(config.api.host, config.api.token)
  const log = createLog(config)
  let hub: EventHub | undefined
  const open = await openFoundry(config, { log, progress: (...args) => hub?.progress(...args) })
  const { foundry, ownership } = open
  hub = createEventHub(foundry.ledger)
  let isDraining = false
  const isReady = () => !isDraining
  const api = await createApi({ foundry, events: hub, token: config.api.token, isReady })
  const control = await createApi({ foundry, events: hub, token: ownership.token, isReady })
  await control.ready()
  const controlServer = createServer((request, response) => control.routing(request, response))
  ownership.server.on('connection', socket => controlServer.emit('connection', socket))
  await makeFolder(config.paths.manifests)
  const intake = new Intake({
    roots: [
      { folder: config.paths.manifests, kind: 'manifests' },
      ...config.callFolders.map(folder => ({ folder, kind: 'calls' as const })),
    ],
    ledger: foundry.ledger,
    log,
    rescanMs: config.rescanMs,
    quietMs: config.quietMs,
    problemsFolder: config.paths.problems,
    accept: async (path, root) => (await submit(foundry, { path }, 'watched folder', root)).run,
  })
  try {
    const url = await listen(api, config)
    await ownership.announce({ apiUrl: url })
    log.info({ url, home: config.paths.home, renderer: foundry.renderer }, 'daemon ready')
    if (terminal.isLive) terminal.note(`foundry watches ${config.paths.manifests} and answers at ${url}`)
    await foundry.farm.start()
    await intake.start()
    const signal = await Promise.race([stopSignal(), open.broken])
    log.info({ signal, drainMs: config.drainMs }, 'daemon stopping')
    return exitCodes.done
  } catch (error) {
    log.fatal(
      { reason: reasonOf(error), code: error instanceof FoundryError ? error.code : undefined },
      'daemon failed',
    )
    throw error
  } finally {
    isDraining = true
    await intake.stop()
    hub.close()
    await open.close(config.drainMs)
    await Promise.allSettled([api.close(), control.close()])
    controlServer.closeAllConnections()
  }
}

async function listen(api: Awaited<ReturnType<typeof createApi>>, config: Config): Promise<string> {
  try {
    return await api.listen({ host: config.api.host, port: config.api.port })
  } catch (error) {
    throw failure(
      'USAGE_INVALID',
      {
        problem: `The API cannot listen on ${config.api.host}:${config.api.port} (${reasonOf(error)})`,
        next: 'choose another --port, or 0 for any',
      },
      error,
    )
  }
}

function stopSignal(): Promise<string> {
  return new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}
