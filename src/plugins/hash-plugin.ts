import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { failure } from '../errors.js'
import { hashJson, sha256File } from '../files/hash.js'

const filesMax = 2000
const sizeBytesMax = 64 * 1024 * 1024
/** What is never run, and what others brought. */
const isLeftOut = (name: string) => name.startsWith('.') || name === 'node_modules' || /\.(?:map|md|d\.ts)$/.test(name)

/**
 * SHA-256 of the code of a plugin: of the canonical JSON of `[path, SHA-256]` of each regular file in its folder, by path, but for
 * hidden files, `node_modules`, pages, types and source maps. Links are not followed. Throws FILE_TOO_LARGE for more than 2,000 files or 64 MiB, and
 * FILE_UNREADABLE.
 */
export async function hashPlugin(folder: string): Promise<string> {
  const files = (await listCode(folder, folder)).sort()
  let left = sizeBytesMax
  const hashes: [string, string][] = []
  for (const file of files) {
    const { sha256, sizeBytes } = await sha256File(join(folder, file), { sizeBytesMax: left })
    left -= sizeBytes
    hashes.push([file.split(sep).join('/'), sha256])
  }
  return hashJson(hashes)
}

async function listCode(root: string, folder: string): Promise<string[]> {
  const files: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isLeftOut(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) files.push(...(await listCode(root, path)))
    else if (entry.isFile()) files.push(relative(root, path))
    if (files.length > filesMax) throw failure('FILE_TOO_LARGE', { file: root, sizeBytes: files.length, sizeBytesMax })
  }
  return files
}
