import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Config, StorageConfig } from '../config/config.js'
import { isAddress } from '../config/server-entry.js'
import { isVariable } from '../config/variables.js'
import { describeProblem, failure, FoundryError } from '../errors.js'
import { serverOpener } from '../farm/open-servers.js'
import type { QueueEngine } from '../plugins/contract.js'
import { findEngine, openStorage } from '../plugins/find-by-name.js'
import { loadPlugins, type PluginFolder } from '../plugins/load-plugins.js'
import { SharedStorage } from '../record/shared-storage.js'
import { nameText } from '../schema/text-forms.js'
import type { HelloAnswer } from '../schema/work.js'
import { OwnerLink } from '../worker/owner-link.js'
import { startWorker } from '../worker/worker.js'
import { exitCodes } from './exit-codes.js'
import { createLog } from './log.js'
import { stopSignal } from './stop-signal.js'
import type { Terminal } from './terminal.js'

export interface WorkerFlags {
  owner: string
  storage?: string
  name?: string
  token?: string
  engineUrl?: string
  server?: string[]
  draft?: boolean
  depth?: number
  logFile?: string
}

/** Runs until SIGTERM or SIGINT. Answers the exit code. */
export async function runWorker(config: Config, terminal: Terminal, flags: WorkerFlags): Promise<number> {
  const { name = defaultName() } = flags
  checkFlags(flags, name)
  if (config.servers.length === 0)
    throw failure('USAGE_INVALID', {
      problem: 'The worker has no server',
      next: 'name one with --server URL, or --draft',
    })
  const where = storageOf(config, flags.storage)
  const owner = flags.owner.replace(/\/+$/, '')
  const token = tokenOf(config, flags.token)
  const log = createLog(config)
  const { plugins, problems } = await loadPlugins(config)
  for (const problem of problems) log.warn({ problem: describeProblem(problem) }, 'plugin left out')
  const stop = stopSignal()
  const asked = new AbortController()
  void stop.then(() => asked.abort())
  const end = new AbortController()
  const storage = await openStorage(where, { plugins, resolveOptions: config.resolveOptions, log })
  const files = new SharedStorage(storage)
  const opener = serverOpener(plugins, {
    log,
    signal: end.signal,
    readReference: ({ sha256 }) => files.readShared(sha256),
  })
  try {
    const servers = await Promise.all(config.servers.map(entry => opener.open(entry)))
    const paid = servers.find(({ connection }) => connection.isPaid)
    if (paid)
      throw failure('USAGE_INVALID', {
        problem: `${paid.entry.name} is a paid service, and what it takes is journaled where the home is`,
        next: 'list it in the foundry.yaml of the home instead',
      })
    const worker = await startWorker(
      {
        name,
        link: new OwnerLink(owner, token),
        storage: files,
        servers,
        openEngine: told => openEngine(told, { config, plugins, log, url: flags.engineUrl }),
        log,
      },
      asked.signal,
    )
    log.info({ worker: name, owner, servers: servers.length }, 'worker ready')
    if (terminal.isLive) terminal.note(`${name} renders for ${owner}`)
    try {
      const signal = await Promise.race([stop, worker.broken])
      log.info({ signal, drainMs: config.drainMs }, 'worker stopping')
    } finally {
      await worker.stop(config.drainMs)
    }
    return exitCodes.done
  } catch (error) {
    if (asked.signal.aborted && error instanceof FoundryError && error.code === 'INTERRUPTED') return exitCodes.done
    throw error
  } finally {
    end.abort()
    await opener.close()
    await storage.close()
    log.info('worker stopped')
  }
}

/** As the owner has told, but for an address that is another one from here; secrets are those of this machine. */
async function openEngine(
  { name, home, options }: HelloAnswer['engine'],
  own: { config: Config; plugins: readonly PluginFolder[]; log: Logger; url: string | undefined },
): Promise<QueueEngine> {
  const wanted = resolved(own.config, { ...options, ...(own.url !== undefined && { url: own.url }) })
  return findEngine(own.plugins, { name, options: wanted })({ log: own.log, home })
}

/** The folder that was named, else the plugin that the foundry.yaml of this machine names. Throws USAGE_INVALID. */
function storageOf({ storage }: Config, folder: string | undefined): StorageConfig {
  if (folder !== undefined) return { folder: resolve(folder) }
  if ('name' in storage) return storage
  throw failure('USAGE_INVALID', {
    problem: 'Nothing says where the worker shall put its pictures',
    next: 'name the folder that both machines see with --storage, or a plugin with "storage" in the foundry.yaml here',
  })
}

function checkFlags({ owner }: WorkerFlags, name: string): void {
  if (owner === 'draft' || !isAddress(owner))
    throw failure('USAGE_INVALID', {
      problem: `--owner ${owner} is not the address of a daemon`,
      next: 'write it as http://host:8787',
    })
  if (!new RegExp(nameText.pattern).test(name))
    throw failure('USAGE_INVALID', { problem: `--name ${name} is no name`, next: `allowed: ${nameText.description}` })
}

/** What is typed is seen by everybody on this machine, so only the name of a variable is. */
function tokenOf(config: Config, token: string | undefined): string | undefined {
  if (token === undefined) return config.api.token
  if (!isVariable(token))
    throw failure('USAGE_INVALID', {
      problem: 'The token would be seen by everybody here',
      next: "write --token '${NAME}'",
    })
  return String(resolved(config, { token })['token'])
}

/** Throws CONFIG_INVALID for variables that are not set here. */
function resolved(config: Config, options: Record<string, unknown>): Record<string, unknown> {
  const { options: wanted, problems } = config.resolveOptions(options)
  if (problems.length > 0) throw failure('CONFIG_INVALID', { file: 'the environment', problems })
  return wanted
}

/** Unlike that of any other worker. */
function defaultName(): string {
  const host =
    hostname()
      .replaceAll(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '') || 'worker'
  return `${host.slice(0, 50)}-${process.pid}`
}
