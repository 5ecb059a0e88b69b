import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Config } from '../config/config.js'
import { hasErrors, type Problem, reasonOf } from '../errors.js'
import { validateValue } from '../files/validate.js'
import { withinTime } from '../files/within-time.js'
import { codePluginOf } from './code-plugin.js'
import type { CodePlugin, EnginePlugin, GatePlugin, ObserverPlugin, Provider, StoragePlugin } from './contract.js'
import { offerContract } from './contract-hooks.js'
import { findPlugins, type FoundPlugin, type PluginOrigin } from './find-plugins.js'
import { type Isolated, isolatedPlugin } from './isolation/isolated-plugin.js'
import { findChanged, readRemembered } from './remembered-code.js'
import { placeOfError } from './place-of-error.js'
import { resolveNeeds } from './resolve-needs.js'

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
  storage: StoragePlugin | undefined
  gate: GatePlugin | undefined
  observer: ObserverPlugin | undefined
  /** Whether its code runs in a process of its own, which bounds its time. */
  isIsolated: boolean
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
  found: FoundPlugin,
  { pluginOptions, resolveOptions }: Pick<Config, 'pluginOptions' | 'resolveOptions'>,
): Promise<{ plugin: PluginFolder; problems: Problem[] }> {
  const { name, folder, file, from, version, sha256, code, isIsolated, options: schema } = found
  const begin = performance.now()
  const plugin: PluginFolder = {
    name,
    folder,
    from,
    version: version ?? '0.0.0',
    ...(sha256 !== undefined && { sha256 }),
    provider: undefined,
    engine: undefined,
    storage: undefined,
    gate: undefined,
    observer: undefined,
    isIsolated,
    options: {},
    tookMs: 0,
  }
  if (code === undefined) return { plugin, problems: [] }
  const problems: Problem[] = []
  const fail = (message: string, more: Partial<Problem> = {}) =>
    problems.push({ severity: 'error', code: 'PLUGIN_BROKEN', file, message, ...more })
  try {
    const loaded = isIsolated ? await loadApart(found, code) : await loadHere(found, code)
    plugin.tookMs = Math.round(performance.now() - begin)
    if (!loaded) {
      fail('Its default export is neither a provider, an engine, a storage, a gate nor an observer', {
        allowed: 'kind, name, version, open',
      })
      return { plugin, problems }
    }
    if (!('open' in loaded)) {
      const message = 'Only a gate or an observer can be isolated: the hooks of others give more than plain data'
      fail(message, { path: 'isolated', found: loaded.kind, allowed: 'gate, observer' })
      return { plugin, problems }
    }
    const isOther = from !== 'package' && version !== undefined && loaded.version !== version
    if (isOther) fail('Its code says another version', { path: 'version', found: loaded.version, allowed: version })
    plugin.version = version ?? loaded.version
    const given = resolveOptions(Object.hasOwn(pluginOptions, name) ? (pluginOptions[name] ?? {}) : {})
    problems.push(...given.problems.map(each => ({ ...each, file: 'foundry.yaml', path: `plugins.${name}` })))
    problems.push(
      ...checkOptions(
        loaded.kind === 'gate' || loaded.kind === 'observer' ? loaded.options : schema,
        given.options,
        name,
        file,
      ),
    )
    if (hasErrors(problems)) return { plugin, problems }
    Object.assign(plugin, { [loaded.kind]: loaded, options: given.options })
  } catch (error) {
    const place = placeOfError(error, folder)
    // The engine keeps the place of a mistake in spelling to itself.
    const hint = error instanceof SyntaxError ? ' ("node --check" shows where)' : ''
    fail(`It cannot be loaded: ${reasonOf(error)}${hint}`, place && { file: `${file}/${place.file}`, line: place.line })
  }
  return { plugin, problems }
}

async function loadHere({ from }: FoundPlugin, code: string): Promise<CodePlugin | undefined> {
  if (from !== 'package') offerContract()
  return codePluginOf(await withinTime(import(pathToFileURL(code).href), loadLimitMs, 'not loaded'))
}

function loadApart({ name, folder, from, sha256 }: FoundPlugin, code: string): Promise<Isolated> {
  // What is hashed of a plugin of the package is what the compiler has made.
  const hashed = { folder: from === 'package' ? dirname(code) : folder, ...(sha256 !== undefined && { sha256 }) }
  return isolatedPlugin({ plugin: name, code, ...hashed })
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
