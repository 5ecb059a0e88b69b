import { relative } from 'node:path'
import { checkAddress, createApi } from '../api/server.js'
import { createEventHub } from '../api/events.js'
import { watchDelay } from '../api/metrics.js'
import { type Config, isHome } from '../config/config.js'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { makeFolder } from '../files/durable.js'
import { Intake } from '../intake/intake.js'
import { watchedRoots } from '../intake/watched-roots.js'
import { readSources } from '../library/sources.js'
import type { Foundry } from '../operations/foundry.js'
import { submitSources } from '../operations/submit.js'
import { exitCodes } from './exit-codes.js'
import { listen } from './listen.js'
import { createLog } from './log.js'
import { openWhenFree } from './open-when-free.js'
import { serveControl } from './serve-control.js'
import { stopSignal } from './stop-signal.js'
import type { Terminal } from './terminal.js'

/** Runs until SIGTERM or SIGINT, or until the journal can no longer be written. Answers the exit code. */
export async function runDaemon(config: Config, terminal: Terminal): Promise<number> {
  checkAddress(config.api.host, config.api.token)
  const { home } = config.paths
  if (config.isHomeNamed && !isHome(home)) throw failure('HOME_MISSING', { home })
  const log = createLog(config)
  const stop = stopSignal()
  const open = await openWhenFree(config, { log, progress: (...args) => hub.progress(...args) })
  const { foundry, ownership } = open
  const hub = createEventHub(foundry.ledger)
  let isDraining = false
  const delay = watchDelay()
  const isReady = () => !isDraining && foundry.intake?.status().paused === undefined
  const api = await createApi({ foundry, events: hub, delay, isReady, token: config.api.token })
  serveControl(open)
  await makeFolder(config.paths.manifests)
  const intake = createIntake(foundry)
  foundry.intake = intake
  try {
    const url = await listen(api, config)
    await ownership.announce({ apiUrl: url })
    log.info({ url, home: config.paths.home, renderer: foundry.renderer }, 'daemon ready')
    if (terminal.isLive) terminal.note(`foundry watches ${config.paths.manifests} and answers at ${url}`)
    log.info(describeWatched(config), 'daemon watches')
    await foundry.farm.start()
    await readLibrary(foundry)
    await intake.start()
    const signal = await Promise.race([stop, open.broken])
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
    await api.close()
    delay.stop()
    log.info('daemon stopped')
  }
}

/** The first drop need not wait for it, and whoever reads the log learns what is wrong before anything is dropped. */
async function readLibrary({ shelf, log }: Foundry): Promise<void> {
  try {
    await shelf()
  } catch (error) {
    log.warn({ reason: reasonOf(error) }, 'library cannot be read')
  }
}

/** Folders of the home by name; call folders belong to others, and where they lie is not for a log. */
function describeWatched(config: Config) {
  const roots = watchedRoots(config)
  return {
    folders: roots.filter(({ kind }) => kind === 'manifests').map(({ folder }) => relative(config.paths.home, folder)),
    callFolders: roots.filter(({ kind }) => kind === 'calls').length,
  }
}

/** With less free space nothing more is accepted: what is accepted already may still be finished. */
const freeBytesMin = 64 * 1024 * 1024

function createIntake(foundry: Foundry): Intake {
  const { config } = foundry
  const { callFolders: callRoots, privacy, paths } = config
  return new Intake({
    roots: watchedRoots(config),
    ledger: foundry.ledger,
    log: foundry.log,
    rescanMs: config.rescanMs,
    quietMs: config.quietMs,
    problemsFolder: paths.problems,
    disk: { folder: paths.home, freeBytesMin },
    renderer: () => foundry.renderer,
    read: (path, root) => readSources(path, { root, callRoots, privacy }),
    accept: async sources => (await submitSources(foundry, sources, { path: sources.path }, 'watched folder')).run,
  })
}
