import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { FoundryError } from '../errors.js'
import { makeFolder, removeFile, replaceFile } from '../files/durable.js'
import { readBounded } from '../files/read-bounded.js'
import type { Storage } from './storage.js'

/** A storage in a folder that all machines see. Throws FILE_WRITE_FAILED. */
export function folderStorage(folder: string): Storage {
  return {
    async put(name, bytes) {
      await makeFolder(folder)
      await replaceFile(join(folder, name), bytes)
    },
    async get(name, sizeBytesMax) {
      try {
        return (await readBounded(join(folder, name), { sizeBytesMax, root: folder })).bytes
      } catch (error) {
        if (error instanceof FoundryError) return undefined
        throw error
      }
    },
    async list() {
      const names = await readdir(folder).catch(() => [])
      const files = await Promise.all(
        names.map(async name => {
          const found = await stat(join(folder, name)).catch(() => undefined)
          return found?.isFile() ? [{ name, putAt: found.mtimeMs }] : []
        }),
      )
      return files.flat()
    },
    async remove(name) {
      if (existsSync(folder)) await removeFile(join(folder, name))
    },
    close: () => Promise.resolve(),
  }
}
