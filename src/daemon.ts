import { setMaxListeners } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from './config/config.js'
import { shownOptions } from './config/server-entry.js'
import { describeProblem, failure, reasonOf } from './errors.js'
import { createEmbeddedEngine } from './farm/embedded-engine.js'
import { Attempts, type AttemptsHost } from './farm/attempts.js'
import { Desk } from './farm/desk.js'
import { Farm } from './farm/farm.js'
import { RemoteWork } from './farm/remote-work.js'
import { openSavedSpeeds } from './farm/saved-speeds.js'
import { absentServer, expectedRenderer, type ServerOpener, serverOpener } from './farm/open-servers.js'
import type { ServerOptions } from './farm/worker-host.js'
import { makeFolder } from './files/durable.js'
import { armFailpoints } from './files/failpoint.js'
import { checkEpoch, type Ownership, ownHome } from './files/own-home.js'
import { sha256 } from './files/hash.js'
import { remoteKind } from './files/remote-folder.js'
import { openIndex } from './library/talent-index.js'
import type { Foundry } from './operations/foundry.js'
import { privateTextsOf } from './operations/private-texts.js'
import { refreshManifest } from './operations/runs.js'
import { createShelfReader } from './operations/shelf.js'
import { type WantedServer, wantedServers } from './operations/wanted-servers.js'
import type { Job } from './plan/job.js'
import { findEngine, openStorage } from './plugins/find-by-name.js'
import { loadPlugins, nameForTrace, type PluginFolder, resolvePlugins } from './plugins/load-plugins.js'
import { rememberCode } from './plugins/remembered-code.js'
import { openGates } from './plugins/run-gates.js'
import { openObservers } from './plugins/run-observers.js'
import { withoutPaths } from './record/events.js'
import { exportToCallFolder } from './record/call-folder.js'
import { finishRun, thumbnailFile } from './record/finish-run.js'
import { eventsOnly, openLedger } from './record/ledger.js'
import { readRunFile } from './record/run-folder.js'
import { type FoundryState, isSettled, type RunState } from './record/state.js'
import { openPictures } from './record/pictures.js'
import { References } from './record/references.js'
import { SharedStorage } from './record/shared-storage.js'
import { sweepStaging, sweepTemporaries } from './record/sweep.js'

/** An open home: everything that acts on it, and how to end it. */
export interface OpenFoundry {
  foundry: Foundry
  ownership: Ownership
  /** Rejects when the foundry can no longer write: the process must end and recover by replay. */
  broken: Promise<never>
  /** Done at the end, before the journal is closed. */
  atClose(work: () => Promise<unknown>): void
  close(drainMs: number): Promise<void>
}

export interface OpenOptions {
  log: Logger
  progress?: (job: Job, server: string, value: number, max: number) => void
}

const manifestEveryMs = 30_000

/**
 * Builds the parts of a foundry and joins them; the only place that knows them all. The home is owned until `close`.
 * Throws HOME_OWNED when another process has it.
 */
export async function openFoundry(config: Config, options: OpenOptions): Promise<OpenFoundry> {
  const { paths } = config
  const { log } = options
  if (config.failpoints !== undefined) armFailpoints(config.failpoints)
  await makeFolder(paths.dot)
  const ownership = await ownHome(paths.home)
  const stop = new AbortController()
  // Every connection listens.
  setMaxListeners(0, stop.signal)
  const closers: (() => Promise<unknown>)[] = [() => ownership.release()]
  try {
    let breakDown: (error: Error) => void = () => undefined
    const broken = new Promise<never>((_, reject) => {
      breakDown = reject
    })
    let isBroken = false
    broken.catch(() => {
      isBroken = true
    })
    const ledger = await openLedger(paths.journal, {
      epoch: ownership.epoch,
      checkEpoch: () => checkEpoch(paths.home, ownership.epoch),
      onBroken: error => breakDown(failure('JOURNAL_BROKEN', { reason: reasonOf(error) }, error)),
    })
    closers.unshift(() => ledger.close())
    if (ledger.journal.droppedBytes > 0)
      log.warn({ bytes: ledger.journal.droppedBytes }, 'torn end of the journal dropped')
    const remote = await remoteKind(paths.dot)
    if (remote !== undefined)
      log.warn({ remote }, 'the journal lies on a network file system, whose locks and syncs are not to be trusted')
    await ledger.append({
      kind: 'owner-started',
      at: Date.now(),
      epoch: ownership.epoch,
      pid: process.pid,
      version: config.version,
    })
    await mkdir(paths.staging, { recursive: true })
    for (const folder of [paths.dot, paths.journal, paths.problems, paths.orphans, paths.references])
      await sweepTemporaries(folder)
    const references = new References(paths.references)
    await sweepStaging(paths.staging, leasedJobs(ledger.state))
    const { plugins, leftOut, problems } = await loadPlugins(config)
    for (const problem of problems) log.warn({ problem: describeProblem(problem) }, 'plugin left out')
    await rememberCode(paths.pluginCode, plugins)
    const gates = await openGates({ plugins, leftOut }, { log })
    if (gates) closers.unshift(() => gates.close())
    const observers = await openObservers(plugins, { log })
    closers.unshift(() => observers.close())
    const unlisten = ledger.listen(event => observers.tell({ ...withoutPaths(event), kind: event.kind, at: event.at }))
    closers.unshift(async () => void unlisten())
    const index = await openIndex(paths.index)
    const shelf = createShelfReader(config, index, log)
    const opener = serverOpener(plugins, {
      log,
      signal: stop.signal,
      readReference: ({ sha256: hash }) => references.read(hash),
    })
    closers.unshift(() => opener.close())
    const openServer: Foundry['openServer'] = async added => {
      const { entry, problems } = config.resolveServer(added)
      if (problems.length > 0) throw failure('SERVER_INVALID', { server: added.name, problems })
      return opener.open(entry)
    }
    const wanted = wantedServers(config, ledger.state.servers)
    const servers = await openWanted(wanted, { open: entry => opener.open(entry), openAdded: openServer })

    const runFolder = (run: string) => join(paths.runs, run)
    const thumbnails = (run: string) => join(paths.dot, 'thumbnails', run)
    const pictures = openPictures()
    closers.unshift(() => pictures.close())
    const host: AttemptsHost = {
      ledger,
      log,
      version: config.version,
      attemptsMax: config.attemptsMax,
      staging: paths.staging,
      orphans: paths.orphans,
      thumbnail: (run, slot) => thumbnailFile(thumbnails(run), slot),
      pictures,
      runFolder,
      readRun: async run => ({
        file: (await readRunFile(runFolder(run))).run,
        plugins: await namePlugins(config, plugins),
      }),
      ...(gates && { gates }),
      privateTexts: (run, file) => privateTextsOf(run, file, config),
      identify: (models, renderer) => farm.identify(models, renderer),
      finish: async (run, slots) => {
        const { run: name, callFolder } = run.accepted
        const folder = runFolder(name)
        // Nobody else writes the manifest of a settled run: what was begun before ends first.
        await Promise.allSettled([foundry.accepting.get(name), refreshing])
        const asOf = progressOf(run)
        const events = eventsOnly(ledger.eventsOf(name))
        const { state, reportSha256 } = await finishRun(run, slots, {
          folder,
          thumbnails: thumbnails(name),
          events,
          pictures,
          foundry: config.version,
        })
        if (callFolder !== undefined) await exportToCallFolder(callFolder, folder, run, slots)
        if (!isSettled(run) || asOf !== progressOf(run)) return
        await ledger.append({ kind: 'run-finished', at: Date.now(), run: name, state, reportSha256 })
        log.info({ run: name, state }, 'run finished')
      },
      freed: () => farm.wake(),
      superseded: (job, newer) => void farm.supersede(job, newer),
    }
    const desk = new Desk(host)
    const attempts = new Attempts(host, desk)
    const work = await openWork(config, plugins, { ledger, log, desk, attempts, references, closers })
    const farm: Farm = new Farm({
      servers,
      desk,
      attempts,
      engine: createEmbeddedEngine(),
      log,
      modelSha256: config.modelSha256,
      limits: config.limits,
      ...(work && { remote: work }),
      progress: (job, server, value, max) => options.progress?.(job, server, value, max),
    })
    const savedSpeeds = await openSavedSpeeds(paths.speeds, {
      speeds: farm.speeds,
      // An embedded draft server is somewhere else at each start.
      addressOf: name =>
        config.servers.find(each => each.name === name)?.url ?? farm.status().find(each => each.name === name)?.url,
      log,
    })
    for (const { entry, mode } of wanted) if (mode !== 'active') farm.setMode(entry.name, mode)
    if (farm.isMixed()) log.info('drafts and other servers are listed together: new runs are rendered by the others')
    const foundry: Foundry = {
      config,
      ledger,
      desk,
      farm,
      log,
      get renderer() {
        return farm.renderer() ?? farm.expectedRenderer() ?? expectedRenderer(wanted.map(({ entry }) => entry))
      },
      plugins,
      gates,
      pictures,
      references,
      shelf,
      runFolder,
      thumbnails,
      accepting: new Map(),
      openServer,
      work,
      startedAt: Date.now(),
    }
    let refreshing: Promise<void> | undefined
    const refresh = setInterval(() => {
      refreshing = refreshManifests(foundry)
    }, manifestEveryMs).unref()
    let isClosed = false
    return {
      foundry,
      ownership,
      broken,
      atClose: work => void closers.unshift(work),
      async close(drainMs) {
        if (isClosed) return
        isClosed = true
        clearInterval(refresh)
        // Whoever may no longer write must not even finish what was begun.
        await farm.stop(isBroken ? 0 : drainMs)
        await (isBroken ? savedSpeeds.stop() : savedSpeeds.close())
        stop.abort()
        await refreshing
        for (const close of closers) await close()
      },
    }
  } catch (error) {
    stop.abort()
    for (const close of closers) await close().catch(() => undefined)
    throw error
  }
}

/** What traces call all that lie there now: data may have come since the start, code is that of the start. */
async function namePlugins(config: Config, loaded: readonly PluginFolder[]): Promise<string[]> {
  const names = new Map(loaded.map(plugin => [plugin.name, nameForTrace(plugin)]))
  const { usable } = await resolvePlugins(config)
  return usable.map(({ name, version = '0.0.0' }) => names.get(name) ?? `${name}@${version}`)
}

type WorkParts = Pick<Foundry, 'ledger' | 'log' | 'desk' | 'references'> & {
  attempts: Attempts
  closers: (() => Promise<unknown>)[]
}

/** What workers on other machines do, where the configuration names an engine for them. */
async function openWork(
  { engine, paths, storage, resolveOptions }: Config,
  plugins: readonly PluginFolder[],
  { ledger, log, desk, attempts, references, closers }: WorkParts,
): Promise<RemoteWork | undefined> {
  if (!engine) return undefined
  // Two homes never share what they offer, also where both machines have them in the same folder.
  const home = sha256(`${hostname()}:${paths.home}`).slice(0, 16)
  const open = findEngine(plugins, { name: engine.name, options: resolveOptions(engine.options).options })
  const opened = await openStorage(storage, { plugins, resolveOptions, log })
  closers.unshift(() => opened.close())
  return new RemoteWork({
    attempts,
    desk,
    ledger,
    log,
    storage: new SharedStorage(opened),
    references,
    engine: { name: engine.name, home, options: shownOptions(engine.options), open: () => open({ log, home }) },
  })
}

/** Differs once a run was asked for more, even when all that was asked for has ended since. */
function progressOf({ counts, attempts }: RunState): string {
  return JSON.stringify([counts, attempts.reduce((sum, each) => sum + each, 0)])
}

/** The servers that are wanted; one that was added and cannot be opened is there without ever answering. */
async function openWanted(
  wanted: readonly WantedServer[],
  { open, openAdded }: { open: ServerOpener['open']; openAdded: Foundry['openServer'] },
): Promise<ServerOptions[]> {
  const servers: ServerOptions[] = []
  for (const { entry, isAdded } of wanted) {
    const opened = isAdded ? openAdded(entry).catch(error => absentServer(entry, reasonOf(error))) : open(entry)
    servers.push(await opened)
  }
  return servers
}

/** Jobs whose staged pictures a crash may have left. */
function leasedJobs({ runs }: FoundryState): Set<string> {
  return new Set([...runs.values()].flatMap(run => [...run.leases.values()].map(lease => lease.job)))
}

async function refreshManifests(foundry: Foundry): Promise<void> {
  for (const run of foundry.ledger.state.runs.values()) {
    if (run.finished || isSettled(run) || run.startedAt === undefined) continue
    await refreshManifest(foundry, run).catch(error =>
      foundry.log.warn({ run: run.accepted.run, reason: reasonOf(error) }, 'manifest not refreshed'),
    )
  }
}
