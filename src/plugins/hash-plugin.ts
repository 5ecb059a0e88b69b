import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, relative, sep } from 'node:path'
import { failure } from '../errors.js'
import { hashJson, sha256File } from '../files/hash.js'

const filesMax = 2000
const sizeBytesMax = 64 * 1024 * 1024
/** What is never run, and what others brought. */
const isLeftOut = (name: string) => name.startsWith('.') || name === 'node_modules' || /\.(?:map|md|d\.ts)$/.test(name)

/**
 * SHA-256 of the code of a plugin: of the canonical JSON of `[path, SHA-256]` of each regular file in its folder, by path, but for
 * hidden files, `node_modules`, pages, types and source maps. Links are followed, as they are when the code runs. Throws FILE_TOO_LARGE
 * for more than 64 MiB, and FILE_UNREADABLE, also for more than 2,000 files.
 */
export async function hashPlugin(folder: string): Promise<string> {
  const files = (await listCode(folder, [folder])).sort()
  let left = sizeBytesMax
  const hashes: [string, string][] = []
  for (const file of files) {
    const { sha256, sizeBytes } = await sha256File(join(folder, file), { sizeBytesMax: left })
    left -= sizeBytes
    hashes.push([file.split(sep).join('/'), sha256])
  }
  return hashJson(hashes)
}

/** Files below the last folder of the trail, as paths under the first. A link to a folder of the trail leads in a circle. */
async function listCode(root: string, trail: readonly string[]): Promise<string[]> {
  const files: string[] = []
  const folder = trail.at(-1) ?? root
  const above = await Promise.all(trail.map(each => realpath(each)))
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isLeftOut(entry.name)) continue
    const path = join(folder, entry.name)
    const found = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry
    if (found?.isDirectory() && !above.includes(await realpath(path)))
      files.push(...(await listCode(root, [...trail, path])))
    else if (found?.isFile()) files.push(relative(root, path))
    if (files.length > filesMax)
      throw failure('FILE_UNREADABLE', { file: basename(root), reason: `it holds more than ${filesMax} files` })
  }
  return files
}
