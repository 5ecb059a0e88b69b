import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { failure, hasErrors, type Problem } from '../errors.js'
import { parseDocument } from '../files/document.js'
import { type FileStamp, readBounded } from '../files/read-bounded.js'
import { validateDocument } from '../files/validate.js'
import { type ConfigFile, configFileSchema, type ServerEntry } from '../schema/config.js'
import type { Family } from '../schema/template.js'
import { type HomePaths, homePaths } from './home-paths.js'
import {
  defaultServerUrl,
  isAddress,
  proposeAddress,
  resolveOptions,
  resolveServer,
  sameAddresses,
  server,
} from './server-entry.js'
import { fromEnvironment } from './variables.js'

/** The whole configuration: complete, checked, frozen. Times are in milliseconds. */
export interface Config {
  paths: HomePaths
  servers: readonly ServerEntry[]
  /** Whether servers were named anywhere; otherwise the default address is tried. */
  hasOwnServers: boolean
  /** Servers were named for this process alone (--server, --draft, FOUNDRY_SERVER): all others stay out. */
  areServersAsked: boolean
  /** Takes the secrets of a server that was added later from the environment; says what is wrong with its entry. */
  resolveServer(entry: ServerEntry): { entry: ServerEntry; problems: Problem[] }
  /** The home was named by `--home`: it is never made in passing. */
  isHomeNamed: boolean
  callFolders: readonly string[]
  workflows: Readonly<Record<string, string>>
  family: Family | undefined
  templates: readonly string[]
  modelSha256: Readonly<Record<string, string>>
  privacy: 'redact' | 'reject' | 'off'
  /** What pictures are for, where anybody has said. */
  use: 'personal' | 'commercial' | undefined
  styleBudget: number
  attemptsMax: number
  /** Jobs at once by family, workflow or talent. */
  limits: Readonly<Record<string, number>>
  rescanMs: number
  quietMs: number
  drainMs: number
  api: { host: string; port: number; token: string | undefined }
  log: { level: string; file: string | undefined }
  pluginOptions: Readonly<Record<string, Record<string, unknown>>>
  /** What workers on other machines get their jobs through, its options as written. */
  engine: { name: string; options: Readonly<Record<string, unknown>> } | undefined
  /** Takes the secrets of engine options from the environment; says which are not set. */
  resolveOptions(options: Readonly<Record<string, unknown>>): { options: Record<string, unknown>; problems: Problem[] }
  storage: StorageConfig
  /** Folders that hold plugins, beside those of the package and of the home. */
  pluginFolders: readonly string[]
  /** Whether code that has changed while its version has not is refused. */
  strictPlugins: boolean
  failpoints: string | undefined
  /** Of `foundry.yaml` as it was read; undefined where there is none. */
  fileStamp: FileStamp | undefined
  version: string
}

/** Where workers put their pictures: a folder, or a plugin with its options as written. */
export type StorageConfig = { folder: string } | { name: string; options: Readonly<Record<string, unknown>> }

/** What the command line may replace. */
export interface ConfigFlags {
  home?: string | undefined
  servers?: readonly string[] | undefined
  /** The option that names `servers`, for those that are no addresses. */
  serverOption?: '--server' | '--api-url' | undefined
  draft?: boolean | undefined
  depth?: number | undefined
  port?: number | undefined
  host?: string | undefined
  logLevel?: string | undefined
  logFile?: string | undefined
  family?: Family | undefined
}

const configSizeBytesMax = 1024 * 1024

/** What every family uses unless the home says otherwise. */
export const defaultWorkflows: Readonly<Record<Family, string>> = {
  sd15: 'sd15-text',
  sdxl: 'sdxl-text',
  sd3: 'sd3-text',
  flux: 'flux-text',
}
const defaultTemplates = ['hero-portrait', 'full-body']

/**
 * Flags, environment and `foundry.yaml` become one frozen Config; nothing else reads the environment.
 * Throws CONFIG_INVALID with every problem of the file, USAGE_INVALID for an option that names no server.
 */
export async function loadConfig(flags: ConfigFlags, env: NodeJS.ProcessEnv, version: string): Promise<Config> {
  const home = resolve(flags.home ?? env['FOUNDRY_HOME'] ?? findHome(process.cwd()) ?? process.cwd())
  const paths = homePaths(home)
  const problems: Problem[] = []
  const { file, stamp } = await readConfigFile(paths.configFile, problems)
  const asked = serversOf(flags, env)
  const servers = (asked ?? file.servers ?? []).map(server => withEnvironment(server, env, problems))
  const tell = (problem: Problem) => problems.push({ ...problem, file: 'foundry.yaml' })
  const names = new Set<string>()
  for (const { name } of servers) {
    if (names.has(name))
      tell({ severity: 'error', code: 'CONFIG_SERVER_DUPLICATE', message: `Two servers are named "${name}"` })
    names.add(name)
  }
  for (const [first, second] of sameAddresses(servers)) {
    const message = `"${first}" and "${second}" have the same address: more jobs at once are its "depth"`
    tell({ severity: 'error', code: 'CONFIG_SERVER_DUPLICATE', message })
  }
  const token = fromEnvironment(file.api?.token, { env, path: 'api.token', tell }) ?? env['FOUNDRY_API_TOKEN']
  const engine = file.engine && { name: file.engine.name, options: file.engine.options ?? {} }
  if (engine) problems.push(...resolveOptions(engine.options, env).problems)
  const storage = storageOf(file.storage ?? paths.shared, home)
  if ('name' in storage) problems.push(...resolveOptions(storage.options, env).problems)
  if (hasErrors(problems)) throw failure('CONFIG_INVALID', { file: 'foundry.yaml', problems })
  const config: Config = {
    paths,
    // Where workers render, an address that nobody named would only be tried in vain.
    servers: servers.length > 0 || engine ? servers : [server({ name: 'comfyui', url: defaultServerUrl })],
    hasOwnServers: servers.length > 0,
    areServersAsked: asked !== undefined,
    resolveServer: entry => resolveServer(entry, env),
    isHomeNamed: flags.home !== undefined,
    callFolders: (file.callFolders ?? []).map(folder => resolve(home, folder)),
    workflows: { ...defaultWorkflows, ...file.workflows },
    family: flags.family ?? file.family,
    templates: file.templates ?? defaultTemplates,
    modelSha256: file.models ?? {},
    privacy: file.privacy ?? 'redact',
    use: file.use,
    styleBudget: file.styleBudget ?? 1.5,
    attemptsMax: file.attemptsMax ?? 4,
    limits: file.limits ?? {},
    rescanMs: (file.rescanSeconds ?? 30) * 1000,
    quietMs: (file.quietSeconds ?? 10) * 1000,
    drainMs: (file.drainSeconds ?? 30) * 1000,
    api: { host: flags.host ?? file.api?.host ?? '127.0.0.1', port: flags.port ?? file.api?.port ?? 8787, token },
    log: {
      level: flags.logLevel ?? env['FOUNDRY_LOG_LEVEL'] ?? file.log?.level ?? 'info',
      file: flags.logFile ?? file.log?.file,
    },
    pluginOptions: file.plugins ?? {},
    engine,
    resolveOptions: options => resolveOptions(options, env),
    storage,
    pluginFolders: (file.pluginFolders ?? []).map(folder => resolve(home, folder)),
    strictPlugins: file.strictPlugins ?? false,
    failpoints: env['FOUNDRY_FAILPOINTS'],
    fileStamp: stamp,
    version,
  }
  return deepFreeze(config)
}

function storageOf(said: NonNullable<ConfigFile['storage']>, home: string): StorageConfig {
  if (typeof said === 'string') return { folder: resolve(home, said) }
  return { name: said.name, options: said.options ?? {} }
}

/** The nearest folder at or above `from` that is a home; `from` itself also where only its data folders say so. */
export function findHome(from: string): string | undefined {
  return hasDataFolders(from) ? from : findHomeAbove(from)
}

function hasDataFolders(folder: string): boolean {
  return existsSync(join(folder, 'manifests')) && existsSync(join(folder, 'talents'))
}

function findHomeAbove(from: string): string | undefined {
  if (isHome(from)) return from
  const parent = dirname(from)
  return parent === from ? undefined : findHomeAbove(parent)
}

/** Whether a foundry has worked in this folder, or was set up to. */
export function isHome(folder: string): boolean {
  return existsSync(join(folder, 'foundry.yaml')) || existsSync(join(folder, '.foundry'))
}

async function readConfigFile(
  path: string,
  problems: Problem[],
): Promise<{ file: Partial<ConfigFile>; stamp?: FileStamp }> {
  if (!existsSync(path)) return { file: {} }
  const { bytes, stat: stamp } = await readBounded(path, { sizeBytesMax: configSizeBytesMax })
  const isEmpty = bytes
    .toString('utf8')
    .split('\n')
    .every(line => /^\s*(#|$)/.test(line))
  if (isEmpty) return { file: {}, stamp }
  const document = parseDocument(bytes, { file: 'foundry.yaml', format: 'yaml' })
  const checked = validateDocument<typeof configFileSchema>(configFileSchema, document)
  problems.push(...checked.problems)
  return { file: checked.value ?? {}, stamp }
}

function serversOf(flags: ConfigFlags, env: NodeJS.ProcessEnv): ServerEntry[] | undefined {
  const depth = flags.depth === undefined ? {} : { depth: flags.depth }
  if (flags.draft) return [server({ name: 'draft', url: 'draft', ...depth })]
  const isAsked = flags.servers !== undefined && flags.servers.length > 0
  const urls = isAsked ? flags.servers : env['FOUNDRY_SERVER'] ? [env['FOUNDRY_SERVER']] : undefined
  const source = isAsked ? `${flags.serverOption ?? '--server'} ` : 'FOUNDRY_SERVER='
  for (const url of urls ?? []) if (!isAddress(url)) throw noAddress(url, source)
  return urls?.map((url, index) => server({ name: url === 'draft' ? 'draft' : `server-${index + 1}`, url, ...depth }))
}

function withEnvironment(entry: ServerEntry, env: NodeJS.ProcessEnv, problems: Problem[]): ServerEntry {
  const { entry: resolved, problems: found } = resolveServer(entry, env)
  for (const each of found) problems.push({ ...each, file: 'foundry.yaml', path: `servers.${entry.name}.${each.path}` })
  return resolved
}

function noAddress(url: string, source: string) {
  return failure('USAGE_INVALID', {
    problem: `${source}${url} is not the address of a server`,
    next: `write ${source}${proposeAddress(url)}`,
  })
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
