import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf, type Problem } from '../errors.js'

/** Kits lie at most so far below a folder that is looked through. */
const depthMax = 4
const foldersMax = 20_000

/**
 * The folders of all kits in some folders, sorted within each: a folder that holds `talent.json` is a kit, and so is one
 * that holds weights and has lost it. Kits do not hold kits. Links to folders are followed, each real folder once.
 */
export async function findKits(folders: readonly string[]): Promise<{ kits: string[]; problems: Problem[] }> {
  const search: Search = { kits: [], problems: [], seen: new Set() }
  for (const folder of folders) await lookInto(folder, { search, depth: 0 })
  if (search.seen.size >= foldersMax)
    search.problems.push({
      severity: 'error',
      code: 'TALENT_FOLDERS_TOO_MANY',
      message: `more than ${foldersMax} folders lie here: kits in the rest are not found`,
    })
  return { kits: search.kits, problems: search.problems }
}

interface Search {
  kits: string[]
  problems: Problem[]
  /** Real paths, so that a link to a folder above ends the way. */
  seen: Set<string>
}

async function lookInto(folder: string, { search, depth }: { search: Search; depth: number }): Promise<void> {
  if (search.seen.size >= foldersMax) return
  try {
    const real = await realpath(folder)
    if (search.seen.has(real)) return
    search.seen.add(real)
    const entries = await readdir(folder, { withFileTypes: true })
    if (entries.some(entry => kitFiles.has(entry.name))) {
      search.kits.push(folder)
      return
    }
    if (depth === depthMax) return
    const below = entries.filter(entry => entry.isDirectory() || entry.isSymbolicLink())
    const names = below.map(entry => entry.name).filter(name => !name.startsWith('.') && name !== 'node_modules')
    for (const name of names.sort()) await lookInto(join(folder, name), { search, depth: depth + 1 })
  } catch (thrown) {
    // A folder that is not there holds no kits, and a link may lead to a file or nowhere.
    if (isMissing(thrown) || (isNoFolder(thrown) && depth > 0)) return
    const message = `the folder cannot be looked through (${reasonOf(thrown)})`
    search.problems.push({ severity: 'warning', code: 'TALENT_FOLDER_UNREADABLE', message, file: folder })
  }
}

const kitFiles: ReadonlySet<string> = new Set(['talent.json', 'weights.safetensors'])

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT'
}

function isNoFolder(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return code === 'ENOTDIR' || code === 'ELOOP'
}
