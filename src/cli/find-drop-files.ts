import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { failure } from '../errors.js'
import { isDropName } from '../library/drop.js'

const foldersDepthMax = 6
const dropsMax = 100_000
/** Folders that hold what pipelines and the foundry write, never drops. */
const foldersIgnored = new Set(['comfyui_images', 'speakers', 'node_modules', 'examples'])

const endings = /\.(?:json|ya?ml)$/i

/**
 * A file as it is; folders by the drops in them; of several paths, as a shell makes them of a pattern, those with the ending of a drop.
 * Throws FILE_UNREADABLE, USAGE_INVALID where nothing is found.
 */
export async function findDropFiles(paths: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (const path of paths) {
    if ((await look(path)).isDirectory()) await collect(resolve(path), 0, found)
    else if (paths.length === 1 || endings.test(path)) found.add(resolve(path))
  }
  if (found.size > 0) return [...found]
  throw failure('USAGE_INVALID', {
    problem: `No drop was found in ${paths.join(', ')}`,
    next: 'give a .yaml or .json file, or a folder of them',
  })
}

async function look(path: string): Promise<Stats> {
  try {
    return await stat(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const isAbsent = code === 'ENOENT' || code === 'ENOTDIR'
    const reason = isAbsent ? `there is no ${resolve(path)}${hintAt(path)}` : (code ?? 'unreadable')
    throw failure('FILE_UNREADABLE', { file: path, reason }, error)
  }
}

/** What shells make of a path. */
function hintAt(path: string): string {
  if (/[*?[]/.test(path)) return '; the pattern matched no file'
  if (path.includes('\\')) return `; between folders stands /: ${path.replaceAll('\\', '/')}`
  if (/^[A-Za-z]:[^/]/.test(path)) return '; the shell took the \\ out of it: write / between folders'
  return ''
}

async function collect(folder: string, depth: number, found: Set<string>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true })
  const isCall = entries.some(entry => entry.name === 'characters' && entry.isDirectory())
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (found.size >= dropsMax || entry.name.startsWith('.') || foldersIgnored.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory() && depth < foldersDepthMax && (!isCall || entry.name === 'characters'))
      await collect(path, depth + 1, found)
    else if (entry.isFile() && isDropIn(folder, entry.name)) found.add(path)
  }
}

/** Beside the texts of a call folder only its manifest is a drop. */
function isDropIn(folder: string, name: string): boolean {
  return isDropName(name) && (!folder.endsWith('characters') || name === 'persona_manifest.json')
}
