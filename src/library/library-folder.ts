import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../errors.js'
import { nameOf } from './name-of.js'

/** Entries of one folder that are looked at. */
const ENTRIES_MAX = 10_000

export interface LibraryFile {
  name: string
  path: string
  /** What problems call it. */
  file: string
}

/** The visible files of folders, by name, each folder once. A folder that is not there is empty. */
export async function listFiles(
  folders: readonly string[],
  isWanted: (name: string) => boolean,
): Promise<{ files: LibraryFile[]; problems: Problem[] }> {
  const files: LibraryFile[] = []
  const problems: Problem[] = []
  for (const folder of new Set(folders)) {
    const names = (await namesIn(folder)).filter(name => !name.startsWith('.') && isWanted(name)).toSorted()
    if (names.length > ENTRIES_MAX)
      problems.push({
        severity: 'warning',
        code: 'LIBRARY_FOLDER_TOO_LARGE',
        message: 'only the first files of this folder are read',
        file: nameOf(folder),
        found: `${names.length} files`,
        allowed: `at most ${ENTRIES_MAX}`,
      })
    for (const name of names.slice(0, ENTRIES_MAX)) {
      const path = join(folder, name)
      files.push({ name, path, file: nameOf(path) })
    }
  }
  return { files, problems }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch {
    // Every folder of a library may be missing.
    return []
  }
}
