import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Config } from '../config/config.js'
import { packageOutput, packageRoot } from '../config/package-root.js'
import { type Problem, reasonOf } from '../errors.js'
import { confineReal, toPosix } from '../files/confined-path.js'
import { readDocument } from '../library/read-document.js'
import { hashPlugin } from './hash-plugin.js'
import { isPluginPackage, type PluginFacts, readPluginFacts } from './plugin-facts.js'

/** Where a plugin lies: shipped, in one of `pluginFolders`, installed beside the home with npm, or in its `plugins/`. */
export type PluginOrigin = 'package' | 'pluginFolders' | 'node_modules' | 'home'

/** A plugin that was found, and not run. */
export interface FoundPlugin extends PluginFacts {
  folder: string
  /** What problems call it. */
  file: string
  from: PluginOrigin
  /** Its ES module, where it has code. */
  code?: string
  /** Of its code, where it was asked for. */
  sha256?: string
}

interface Place {
  folder: string
  file: string
  from: PluginOrigin
}

const pluginsMax = 500

/**
 * The plugins of the package, of the configured folders, of packages beside the home, and of the home, each in a folder of its own. A later
 * one replaces one of the same name. Nothing of them is run; their code is read only where its hash is asked for.
 */
export async function findPlugins(
  { pluginFolders, paths, version }: Pick<Config, 'pluginFolders' | 'paths' | 'version'>,
  { isHashed }: { isHashed: boolean },
): Promise<{ found: FoundPlugin[]; problems: Problem[] }> {
  const places = [
    ...(await placesIn(join(packageRoot, 'plugins'), 'package')),
    ...(await Promise.all(pluginFolders.map(folder => placesIn(folder, 'pluginFolders', paths.home)))).flat(),
    ...(await installedPlaces(paths.home)),
    // The package may be worked in as a home.
    ...(paths.home === packageRoot ? [] : await placesIn(paths.plugins, 'home')),
  ]
  const problems: Problem[] = pluginFolders.filter(each => !existsSync(each)).map(missingFolder)
  const byName = new Map<string, { plugin: FoundPlugin; problems: Problem[] }>()
  const twice: { plugin: FoundPlugin; problems: Problem[] }[] = []
  for (const place of places) {
    const read = await readPlace(place, version, isHashed)
    const first = byName.get(read.plugin.name)?.plugin
    if (first && isBeside(first, read.plugin))
      twice.push({ ...read, problems: [...read.problems, sameName(read.plugin, first)] })
    else byName.set(read.plugin.name, read)
  }
  const read = [...byName.values(), ...twice]
  return { found: read.map(({ plugin }) => plugin), problems: [...problems, ...read.flatMap(each => each.problems)] }
}

/** One plugin by its folder, with the hash of its code. */
export async function findPlugin(
  folder: string,
  version: string,
): Promise<{ plugin: FoundPlugin; problems: Problem[] }> {
  return readPlace({ folder, file: folder.split(/[\\/]/).at(-1) ?? folder, from: 'pluginFolders' }, version, true)
}

async function placesIn(parent: string, from: PluginOrigin, home = dirname(parent)): Promise<Place[]> {
  if (!existsSync(parent)) return []
  const entries = await readdir(parent, { withFileTypes: true })
  const folders = entries.filter(each => each.isDirectory() && !each.name.startsWith('.')).map(each => each.name)
  return folders
    .sort()
    .slice(0, pluginsMax)
    .map(name => ({ folder: join(parent, name), file: toPosix(join(relative(home, parent), name)), from }))
}

/** What the `package.json` of a home asks for, where it says of itself that it is a plugin. */
async function installedPlaces(home: string): Promise<Place[]> {
  const path = join(home, 'package.json')
  if (home === packageRoot || !existsSync(path)) return []
  const read = await readDocument(path, { file: 'package.json' })
  const fields = 'document' in read ? (read.document.value as Record<string, unknown> | null) : {}
  const names = ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap(kind =>
    Object.keys((fields?.[kind] as object | undefined) ?? {}),
  )
  const places: Place[] = []
  for (const name of [...new Set(names)].filter(isPackageName).sort().slice(0, pluginsMax)) {
    const folder = join(home, 'node_modules', name)
    if (existsSync(folder) && (await isPluginPackage(folder)))
      places.push({ folder, file: `node_modules/${name}`, from: 'node_modules' })
  }
  return places
}

/** So that no name leads elsewhere. */
function isPackageName(name: string): boolean {
  return /^(?:@[a-z0-9~][a-z0-9._~-]*\/)?[a-z0-9~][a-z0-9._~-]*$/i.test(name)
}

async function readPlace(
  { folder, file, from }: Place,
  foundry: string,
  isHashed: boolean,
): Promise<{ plugin: FoundPlugin; problems: Problem[] }> {
  const name = folder.split(/[\\/]/).at(-1) ?? folder
  const { facts, problems } = await readPluginFacts(folder, { name, file })
  const plugin: FoundPlugin = { ...facts, folder, file, from }
  // Those of the package are as old as it is.
  if (from === 'package') plugin.version = foundry
  try {
    const code = await codeOf(folder, { main: facts.main, from })
    if (code) plugin.code = code.file
    if (code && isHashed) plugin.sha256 = await hashPlugin(code.folder)
  } catch (error) {
    problems.push({ severity: 'error', code: 'PLUGIN_BROKEN', file, message: `It cannot be read: ${reasonOf(error)}` })
  }
  return { plugin, problems }
}

/** `index.js`, or what `package.json` calls `main`; for plugins of the package what the compiler has made. */
async function codeOf(
  folder: string,
  { main, from }: { main: string | undefined; from: PluginOrigin },
): Promise<{ file: string; folder: string } | undefined> {
  const compiled = join(packageOutput, relative(packageRoot, folder))
  if (from === 'package') return asFile(join(compiled, 'index.js'), compiled)
  if (main === undefined) return asFile(join(folder, 'index.js'), folder)
  return asFile(await confineReal(folder, main), folder)
}

async function asFile(file: string, folder: string): Promise<{ file: string; folder: string } | undefined> {
  const stats = await stat(file).catch(() => undefined)
  return stats?.isFile() ? { file, folder } : undefined
}

/** Whether neither of two was meant to replace the other. */
function isBeside(one: FoundPlugin, other: FoundPlugin): boolean {
  return one.from === other.from && (one.from === 'node_modules' || dirname(one.folder) === dirname(other.folder))
}

function sameName({ name, file }: FoundPlugin, first: FoundPlugin): Problem {
  const message = `${first.file} has the same name: this one is left out`
  return { severity: 'error', code: 'PLUGIN_NAME_TWICE', file, message, path: 'name', found: name }
}

function missingFolder(folder: string): Problem {
  const message = 'There is no such folder'
  return {
    severity: 'error',
    code: 'PLUGIN_FOLDER_MISSING',
    file: 'foundry.yaml',
    message,
    path: 'pluginFolders',
    found: folder,
  }
}
