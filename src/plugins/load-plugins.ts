import { pathToFileURL } from 'node:url'
import type { Config } from '../config/config.js'
import { hasErrors, type Problem, reasonOf } from '../errors.js'
import { validateValue } from '../files/validate.js'
import type { CodePlugin, EnginePlugin, GatePlugin, ObserverPlugin, Provider } from './contract.js'
import { offerContract } from './contract-hooks.js'
import { findPlugins, type FoundPlugin, type PluginOrigin } from './find-plugins.js'
import { findChanged, readRemembered } from './remembered-code.js'
import { placeOfError } from './place-of-error.js'
import { resolveNeeds } from './resolve-needs.js'
import { withinTime } from './within-time.js'

/** A plugin that may be used: data (styles, templates, kits), code of one kind, or both. */
export interface PluginFolder {
  name: string
  folder: string
  from: PluginOrigin
  /** What it says of itself, else what its code says; `0.0.0` where neither does. */
  version: string
  /** Of its code. */
  sha256?: string
  provider: Provider | undefined
  engine: EnginePlugin | undefined
  gate: GatePlugin | undefined
  observer: ObserverPlugin | undefined
  /** What foundry.yaml says of it, with secrets from the environment. */
  options: Readonly<Record<string, unknown>>
  /** Milliseconds to load its code; 0 for data. */
  tookMs: number
}

/** A plugin that was found and is not used, or whose code is not. */
export interface LeftOut {
  name: string
  from: PluginOrigin
  reason: string
}

export interface LoadedPlugins {
  plugins: PluginFolder[]
  leftOut: LeftOut[]
  problems: Problem[]
}

type PluginConfig = Pick<
  Config,
  'pluginFolders' | 'paths' | 'version' | 'strictPlugins' | 'pluginOptions' | 'resolveOptions'
>

const loadLimitMs = 10_000

/**
 * Finds the plugins of a home, resolves what they need, then runs the code of those that may start, each behind what it needs. A plugin that
 * cannot be used is told with all that is wrong, and the others go on.
 */
export async function loadPlugins(config: PluginConfig): Promise<LoadedPlugins> {
  const { found, usable, problems } = await resolvePlugins(config, { isHashed: true })
  problems.push(...unusedOptions(config, found))
  const plugins: PluginFolder[] = []
  for (const each of usable) {
    const loaded = await loadPlugin(each, config)
    problems.push(...loaded.problems)
    plugins.push(loaded.plugin)
  }
  const leftOut = found.flatMap(({ name, from, file }): LeftOut[] => {
    const own = problems.filter(each => each.severity === 'error' && isOf(each, file))
    return own.length > 0 ? [{ name, from, reason: own.map(each => each.message).join('; ') }] : []
  })
  return { plugins, leftOut, problems }
}

/**
 * The plugins as they lie there now, and those that may be used, each behind what it needs. Runs nothing: enough for data. Code is hashed in
 * strict mode, or where asked for.
 */
export async function resolvePlugins(
  config: Pick<Config, 'pluginFolders' | 'paths' | 'version' | 'strictPlugins'>,
  { isHashed = config.strictPlugins } = {},
): Promise<{ found: FoundPlugin[]; usable: FoundPlugin[]; problems: Problem[] }> {
  const { found, problems } = await findPlugins(config, { isHashed })
  if (config.strictPlugins) problems.push(...findChanged(found, await readRemembered(config.paths.pluginCode)))
  const whole = found.filter(each => !isFaulty(each, problems))
  const { order, problems: unmet } = resolveNeeds(whole, config.version)
  const usable = order.flatMap(name => whole.find(plugin => plugin.name === name) ?? [])
  return { found, usable, problems: [...problems, ...unmet] }
}

/** Runs the code of one plugin, where it has any. */
export async function loadPlugin(
  { name, folder, file, from, version, sha256, code, options: schema }: FoundPlugin,
  { pluginOptions, resolveOptions }: Pick<Config, 'pluginOptions' | 'resolveOptions'>,
): Promise<{ plugin: PluginFolder; problems: Problem[] }> {
  const begin = performance.now()
  const plugin: PluginFolder = {
    name,
    folder,
    from,
    version: version ?? '0.0.0',
    ...(sha256 !== undefined && { sha256 }),
    provider: undefined,
    engine: undefined,
    gate: undefined,
    observer: undefined,
    options: {},
    tookMs: 0,
  }
  if (code === undefined) return { plugin, problems: [] }
  const problems: Problem[] = []
  const fail = (message: string, more: Partial<Problem> = {}) =>
    problems.push({ severity: 'error', code: 'PLUGIN_BROKEN', file, message, ...more })
  try {
    if (from !== 'package') offerContract()
    const found = codePluginOf(await withinTime(import(pathToFileURL(code).href), loadLimitMs, 'not loaded'))
    plugin.tookMs = Math.round(performance.now() - begin)
    if (!found) {
      fail('Its default export is neither a provider, an engine, a gate nor an observer', {
        allowed: 'kind, name, version, open',
      })
      return { plugin, problems }
    }
    const isOther = from !== 'package' && version !== undefined && found.version !== version
    if (isOther) fail('Its code says another version', { path: 'version', found: found.version, allowed: version })
    plugin.version = version ?? found.version
    const given = resolveOptions(Object.hasOwn(pluginOptions, name) ? (pluginOptions[name] ?? {}) : {})
    problems.push(...given.problems.map(each => ({ ...each, file: 'foundry.yaml', path: `plugins.${name}` })))
    problems.push(
      ...checkOptions(
        found.kind === 'gate' || found.kind === 'observer' ? found.options : schema,
        given.options,
        name,
        file,
      ),
    )
    if (hasErrors(problems)) return { plugin, problems }
    Object.assign(plugin, { [found.kind]: found, options: given.options })
  } catch (error) {
    const place = placeOfError(error, folder)
    // The engine keeps the place of a mistake in spelling to itself.
    const hint = error instanceof SyntaxError ? ' ("node --check" shows where)' : ''
    fail(`It cannot be loaded: ${reasonOf(error)}${hint}`, place && { file: `${file}/${place.file}`, line: place.line })
  }
  return { plugin, problems }
}

/** As a trace names it: `name@version`, with the SHA-256 of code as build metadata of the version. */
export function nameForTrace({ name, version, sha256 }: Pick<PluginFolder, 'name' | 'version' | 'sha256'>): string {
  const mark = version.includes('+') ? '.' : '+'
  return sha256 === undefined ? `${name}@${version}` : `${name}@${version}${mark}sha256.${sha256}`
}

/** Options may hold a password: no problem repeats what was found. */
function checkOptions(schema: object | undefined, options: unknown, name: string, file: string): Problem[] {
  if (!schema) return []
  return validateValue(schema, options).problems.map(({ found: _, ...each }) => ({
    ...each,
    file,
    path: ['plugins', name, each.path].filter(Boolean).join('.'),
  }))
}

function unusedOptions({ pluginOptions }: PluginConfig, found: readonly FoundPlugin[]): Problem[] {
  const unknown = Object.keys(pluginOptions).filter(name => !found.some(each => each.name === name))
  return unknown.map(name => ({
    severity: 'warning',
    code: 'PLUGIN_UNKNOWN',
    file: 'foundry.yaml',
    message: 'No plugin has this name',
    path: `plugins.${name}`,
    allowed: found.map(each => each.name).join(', '),
  }))
}

function isFaulty({ file }: FoundPlugin, problems: readonly Problem[]): boolean {
  return problems.some(each => each.severity === 'error' && isOf(each, file))
}

/** Whether a problem is told of a plugin, or of a file in it. */
export function isOf(problem: Problem, file: string): boolean {
  return problem.file === file || problem.file?.startsWith(`${file}/`) === true
}

function codePluginOf(module: unknown): CodePlugin | undefined {
  const value = (module as { default?: unknown }).default
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, name, version, open } = value as Record<string, unknown>
  // The contract names these four; everything else about a plugin is checked where it is used.
  const isKind = kind === 'provider' || kind === 'engine' || kind === 'gate' || kind === 'observer'
  const isOne = isKind && typeof name === 'string' && typeof version === 'string' && typeof open === 'function'
  return isOne ? (value as CodePlugin) : undefined
}
