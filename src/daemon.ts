import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from './config/config.js'
import { packageOutput, packageRoot } from './config/package-root.js'
import { describeProblem, failure, reasonOf } from './errors.js'
import { createEmbeddedEngine } from './farm/embedded-engine.js'
import { Desk } from './farm/desk.js'
import { Farm } from './farm/farm.js'
import type { ServerOptions } from './farm/worker-host.js'
import { makeFolder } from './files/durable.js'
import { armFailpoints } from './files/failpoint.js'
import { checkEpoch, type Ownership, ownHome } from './files/own-home.js'
import { remoteKind } from './files/remote-folder.js'
import { openIndex } from './library/talent-index.js'
import type { Foundry } from './operations/foundry.js'
import { privateTextsOf } from './operations/private-texts.js'
import { refreshManifest } from './operations/runs.js'
import { createShelfReader } from './operations/shelf.js'
import type { Job } from './plan/job.js'
import type { DraftServer, Provider } from './plugins/contract.js'
import { loadPlugins, type PluginFolder } from './plugins/load-plugins.js'
import { exportToCallFolder } from './record/call-folder.js'
import { finishRun, thumbnailFile } from './record/finish-run.js'
import { eventsOnly, openLedger } from './record/ledger.js'
import { readRunFile } from './record/run-folder.js'
import { type FoundryState, isSettled, type RunState } from './record/state.js'
import { openPictures } from './record/pictures.js'
import { sweepStaging, sweepTemporaries } from './record/sweep.js'
import type { ServerEntry } from './schema/config.js'

/** An open home: everything that acts on it, and how to end it. */
export interface OpenFoundry {
  foundry: Foundry
  ownership: Ownership
  /** Rejects when the foundry can no longer write: the process must end and recover by replay. */
  broken: Promise<never>
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
    for (const folder of [paths.dot, paths.journal, paths.problems, paths.orphans]) await sweepTemporaries(folder)
    await sweepStaging(paths.staging, leasedJobs(ledger.state))
    const { plugins, problems } = await loadPlugins(config.pluginFolders, { root: packageRoot, output: packageOutput })
    for (const problem of problems) log.warn({ problem: describeProblem(problem) }, 'plugin left out')
    const index = await openIndex(paths.index)
    const shelf = createShelfReader(config, plugins, index, log)
    const opened = await openServers(config, plugins, { log, signal: stop.signal })
    closers.unshift(opened.close)

    const runFolder = (run: string) => join(paths.runs, run)
    const thumbnails = (run: string) => join(paths.dot, 'thumbnails', run)
    const pictures = openPictures()
    closers.unshift(() => pictures.close())
    const desk: Desk = new Desk({
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
        plugins: plugins.map(plugin => `${plugin.name}@${plugin.provider?.version ?? config.version}`),
      }),
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
        })
        if (callFolder !== undefined) await exportToCallFolder(callFolder, folder, run, slots)
        if (!isSettled(run) || asOf !== progressOf(run)) return
        await ledger.append({ kind: 'run-finished', at: Date.now(), run: name, state, reportSha256 })
        log.info({ run: name, state }, 'run finished')
      },
      freed: () => farm.wake(),
    })
    const farm: Farm = new Farm({
      servers: opened.servers,
      desk,
      engine: createEmbeddedEngine(),
      log,
      modelSha256: config.modelSha256,
      progress: (job, server, value, max) => options.progress?.(job, server, value, max),
    })
    if (farm.isMixed()) log.info('drafts and other servers are listed together: new runs are rendered by the others')
    const foundry: Foundry = {
      config,
      ledger,
      desk,
      farm,
      log,
      get renderer() {
        return farm.renderer() ?? opened.renderer
      },
      plugins,
      pictures,
      shelf,
      runFolder,
      thumbnails,
      accepting: new Map(),
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
      async close(drainMs) {
        if (isClosed) return
        isClosed = true
        clearInterval(refresh)
        // Whoever may no longer write must not even finish what was begun.
        await farm.stop(isBroken ? 0 : drainMs)
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

/** Differs once a run was asked for more, even when all that was asked for has ended since. */
function progressOf({ counts, attempts }: RunState): string {
  return JSON.stringify([counts, attempts.reduce((sum, each) => sum + each, 0)])
}

export async function openServers(
  config: Config,
  plugins: readonly PluginFolder[],
  host: { log: Logger; signal: AbortSignal },
): Promise<{
  servers: ServerOptions[]
  renderer: string
  close: () => Promise<unknown>
}> {
  const drafts: DraftServer[] = []
  const servers: ServerOptions[] = []
  for (const entry of config.servers) {
    const provider = providerOf(entry, plugins)
    let { url } = entry
    if (url === 'draft') {
      const draft = await provider.startDraftServer?.(entry.options ?? {}, host)
      if (!draft)
        throw failure('USAGE_INVALID', { problem: `Provider ${provider.name} draws no drafts`, next: 'give a URL' })
      drafts.push(draft)
      url = draft.url
    }
    const resolved = { ...entry, ...(url !== undefined && { url }) }
    const connection = await provider.open(resolved, host)
    servers.push({ entry: resolved, connection, ...(isDraft(entry) && { renderer: 'draft' }) })
  }
  const others = config.servers.filter(entry => !isDraft(entry))
  return {
    servers,
    renderer: others[0]?.provider ?? 'draft',
    close: () => Promise.all(drafts.map(draft => draft.close())),
  }
}

function isDraft({ url, options }: ServerEntry): boolean {
  return url === 'draft' || options?.['renderer'] === 'draft'
}

function providerOf(entry: ServerEntry, plugins: readonly PluginFolder[]): Provider {
  const providers = plugins.flatMap(plugin => plugin.provider ?? [])
  const found = providers.find(provider => provider.name === entry.provider)
  if (found) return found
  const known = providers.map(provider => provider.name).join(', ') || 'none'
  throw failure('USAGE_INVALID', {
    problem: `Server ${entry.name} needs the provider "${entry.provider}"`,
    next: `loaded are: ${known}`,
  })
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
