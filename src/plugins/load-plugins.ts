import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Problem, reasonOf } from '../errors.js'
import type { EnginePlugin, Provider } from './contract.js'

/** A folder under `plugins/`: data (styles, templates, kits), code (a provider or an engine), or both. */
export interface PluginFolder {
  name: string
  folder: string
  provider: Provider | undefined
  engine: EnginePlugin | undefined
  /** Milliseconds to load its code; 0 for data. */
  tookMs: number
}

const loadLimitMs = 10_000
const pluginsMax = 500

/**
 * Finds the plugins of some folders; a later folder replaces a plugin of the same name. Data needs no code; code is `index.js`,
 * which for the plugins of the package lies in its build output. A plugin that cannot be loaded is a problem, the others go on.
 */
export async function loadPlugins(
  folders: readonly string[],
  compiled: { root: string; output: string },
): Promise<{ plugins: PluginFolder[]; problems: Problem[] }> {
  const problems: Problem[] = []
  const plugins: PluginFolder[] = []
  for (const [name, folder] of await findPluginFolders(folders))
    plugins.push(await loadPlugin(name, folder, codeOf(folder, compiled), problems))
  return { plugins, problems }
}

/** The folders of plugins by name, as they lie there now; nothing in them is read or run. Enough for data. */
export async function findPluginFolders(folders: readonly string[]): Promise<Map<string, string>> {
  const byName = new Map<string, string>()
  for (const parent of folders) {
    if (!existsSync(parent)) continue
    const entries = await readdir(parent, { withFileTypes: true })
    const names = entries.filter(each => each.isDirectory() && !each.name.startsWith('.')).map(({ name }) => name)
    for (const name of names.sort().slice(0, pluginsMax)) byName.set(name, join(parent, name))
  }
  return byName
}

async function loadPlugin(
  name: string,
  folder: string,
  code: string | undefined,
  problems: Problem[],
): Promise<PluginFolder> {
  const begin = performance.now()
  const plugin: PluginFolder = { name, folder, provider: undefined, engine: undefined, tookMs: 0 }
  if (code === undefined) return plugin
  try {
    const module = await withLimit(import(pathToFileURL(code).href), loadLimitMs)
    const found = codePluginOf(module)
    plugin.tookMs = Math.round(performance.now() - begin)
    if (found?.kind === 'provider') plugin.provider = found
    else if (found?.kind === 'engine') plugin.engine = found
    else
      problems.push(
        problem(name, 'Its default export is neither a provider nor an engine', 'kind, name, version, open'),
      )
  } catch (error) {
    problems.push(problem(name, `It cannot be loaded: ${reasonOf(error)}`))
  }
  return plugin
}

function codeOf(folder: string, compiled: { root: string; output: string }): string | undefined {
  const places = [join(folder, 'index.js'), join(compiled.output, relative(compiled.root, folder), 'index.js')]
  return places.find(place => existsSync(place))
}

function codePluginOf(module: unknown): Provider | EnginePlugin | undefined {
  const value = (module as { default?: unknown }).default
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, name, open } = value as Record<string, unknown>
  // The contract names these three; everything else about a plugin is checked where it is used.
  const isOne = (kind === 'provider' || kind === 'engine') && typeof name === 'string' && typeof open === 'function'
  return isOne ? (value as Provider | EnginePlugin) : undefined
}

async function withLimit<Value>(value: Promise<Value>, limitMs: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RangeError(`not loaded within ${limitMs} ms`)), limitMs)
  })
  return Promise.race([value, limit]).finally(() => clearTimeout(timer))
}

function problem(plugin: string, message: string, allowed?: string): Problem {
  return {
    severity: 'error',
    code: 'PLUGIN_BROKEN',
    file: `plugins/${plugin}`,
    message,
    ...(allowed !== undefined && { allowed }),
  }
}
