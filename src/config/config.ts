import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { failure, hasErrors, type Problem } from '../errors.js'
import { parseDocument } from '../files/document.js'
import { readBounded } from '../files/read-bounded.js'
import { validateDocument } from '../files/validate.js'
import { type ConfigFile, configFileSchema, type ServerEntry, serverSchema } from '../schema/config.js'
import type { Family } from '../schema/template.js'
import { type HomePaths, homePaths } from './home-paths.js'
import { packageRoot } from './package-root.js'

/** The whole configuration: complete, checked, frozen. Times are in milliseconds. */
export interface Config {
  paths: HomePaths
  servers: readonly ServerEntry[]
  /** Whether servers were named anywhere; otherwise the default address is tried. */
  hasOwnServers: boolean
  /** The home was named by `--home`: it is never made in passing. */
  isHomeNamed: boolean
  callFolders: readonly string[]
  workflows: Readonly<Record<string, string>>
  family: Family | undefined
  templates: readonly string[]
  modelSha256: Readonly<Record<string, string>>
  privacy: 'redact' | 'reject' | 'off'
  styleBudget: number
  attemptsMax: number
  rescanMs: number
  quietMs: number
  drainMs: number
  api: { host: string; port: number; token: string | undefined }
  log: { level: string; file: string | undefined }
  pluginOptions: Readonly<Record<string, Record<string, unknown>>>
  /** Folders that hold plugins, the shipped ones first. */
  pluginFolders: readonly string[]
  failpoints: string | undefined
  version: string
}

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
export const defaultServerUrl = 'http://127.0.0.1:8188'

/** What every family uses unless the home says otherwise. */
export const defaultWorkflows: Readonly<Record<Family, string>> = {
  sd15: 'sd15-text',
  sdxl: 'sdxl-text',
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
  const file = await readConfigFile(paths.configFile, problems)
  const servers = (serversOf(flags, env) ?? file.servers ?? []).map(server => withEnvironment(server, env, problems))
  const names = new Set<string>()
  for (const { name } of servers) {
    if (names.has(name)) problems.push(problem('CONFIG_SERVER_DUPLICATE', `Two servers are named "${name}"`))
    names.add(name)
  }
  const token = fromEnvironment(file.api?.token, 'api.token', env, problems) ?? env['FOUNDRY_API_TOKEN']
  if (hasErrors(problems)) throw failure('CONFIG_INVALID', { file: 'foundry.yaml', problems })
  const config: Config = {
    paths,
    servers: servers.length > 0 ? servers : [server({ name: 'comfyui', url: defaultServerUrl })],
    hasOwnServers: servers.length > 0,
    isHomeNamed: flags.home !== undefined,
    callFolders: (file.callFolders ?? []).map(folder => resolve(home, folder)),
    workflows: { ...defaultWorkflows, ...file.workflows },
    family: flags.family ?? file.family,
    templates: file.templates ?? defaultTemplates,
    modelSha256: file.models ?? {},
    privacy: file.privacy ?? 'redact',
    styleBudget: file.styleBudget ?? 1.5,
    attemptsMax: file.attemptsMax ?? 4,
    rescanMs: (file.rescanSeconds ?? 30) * 1000,
    quietMs: (file.quietSeconds ?? 10) * 1000,
    drainMs: (file.drainSeconds ?? 30) * 1000,
    api: { host: flags.host ?? file.api?.host ?? '127.0.0.1', port: flags.port ?? file.api?.port ?? 8787, token },
    log: {
      level: flags.logLevel ?? env['FOUNDRY_LOG_LEVEL'] ?? file.log?.level ?? 'info',
      file: flags.logFile ?? file.log?.file,
    },
    pluginOptions: file.plugins ?? {},
    pluginFolders: [...new Set([join(packageRoot, 'plugins'), paths.plugins])],
    failpoints: env['FOUNDRY_FAILPOINTS'],
    version,
  }
  return deepFreeze(config)
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

/** A complete server entry from a partial one: the schema's own defaults. */
export function server(entry: Partial<ServerEntry> & { name: string }): ServerEntry {
  const properties = serverSchema.properties
  return {
    provider: properties.provider.default,
    depth: properties.depth.default,
    timeoutSeconds: properties.timeoutSeconds.default,
    graceSeconds: properties.graceSeconds.default,
    jobTimeoutSeconds: properties.jobTimeoutSeconds.default,
    ...entry,
  }
}

async function readConfigFile(path: string, problems: Problem[]): Promise<Partial<ConfigFile>> {
  if (!existsSync(path)) return {}
  const { bytes } = await readBounded(path, { sizeBytesMax: configSizeBytesMax })
  const isEmpty = bytes
    .toString('utf8')
    .split('\n')
    .every(line => /^\s*(#|$)/.test(line))
  if (isEmpty) return {}
  const document = parseDocument(bytes, { file: 'foundry.yaml', format: 'yaml' })
  const checked = validateDocument<typeof configFileSchema>(configFileSchema, document)
  problems.push(...checked.problems)
  return checked.value ?? {}
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
  const path = `servers.${entry.name}`
  const url = entry.url ?? defaultServerUrl
  if (!isAddress(url)) {
    problems.push(problem('CONFIG_URL_INVALID', 'Not a server address', `${path}.url`, url, proposeAddress(url)))
  }
  const headers = Object.entries(entry.headers ?? {}).map(
    ([name, value]) => [name, fromEnvironment(value, `${path}.headers.${name}`, env, problems) ?? ''] as const,
  )
  const token = fromEnvironment(entry.token, `${path}.token`, env, problems)
  return {
    ...entry,
    url,
    ...(entry.headers && { headers: Object.fromEntries(headers) }),
    ...(token !== undefined && { token }),
  }
}

/** `${NAME}` inside a value is taken from the environment; a name that is not set is a problem. */
function fromEnvironment(
  value: string | undefined,
  path: string,
  env: NodeJS.ProcessEnv,
  problems: Problem[],
): string | undefined {
  return value?.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const found = env[name]
    if (found === undefined) problems.push(problem('CONFIG_VARIABLE_UNSET', `The variable ${name} is not set`, path))
    return found ?? ''
  })
}

function isAddress(text: string): boolean {
  return text === 'draft' || isHttpUrl(text)
}

function noAddress(url: string, source: string) {
  return failure('USAGE_INVALID', {
    problem: `${source}${url} is not the address of a server`,
    next: `write ${source}${proposeAddress(url)}`,
  })
}

/** Mostly only the scheme is missing. */
function proposeAddress(text: string): string {
  const isBare = text !== '' && !text.includes('://') && !/[\s\\]/.test(text) && URL.canParse(`http://${text}`)
  return isBare ? `http://${text}` : `${defaultServerUrl} or draft`
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}

function problem(code: string, message: string, path?: string, found?: string, allowed?: string): Problem {
  return {
    severity: 'error',
    code,
    message,
    file: 'foundry.yaml',
    ...(path !== undefined && { path }),
    ...(found !== undefined && { found }),
    ...(allowed !== undefined && { allowed }),
  }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) deepFreeze(each)
  }
  return value
}
