// @ts-check
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Keeps the pictures of workers in a folder. Put a service that all of your machines reach in its place, and keep the promises:
 * `foundry plugins test` holds this plugin to each of them. foundry.yaml, of the home and of each worker:
 * `storage: { name: __short__, options: { folder: /mnt/pictures } }`
 *
 * @import { StoragePlugin } from 'persona-foundry/plugin'
 */

/** @type {StoragePlugin} */
const storage = {
  kind: 'storage',
  name: '__short__',
  version: '0.1.0',
  options: {
    type: 'object',
    additionalProperties: false,
    required: ['folder'],
    properties: { folder: { type: 'string', minLength: 1 } },
  },
  async open(options) {
    const folder = String(options['folder'])
    await mkdir(folder, { recursive: true })
    const isWhole = (/** @type {string} */ name) => !name.endsWith('.part')
    let parts = 0
    return {
      async put(name, bytes) {
        // Who looks meanwhile must not see half of it.
        const part = join(folder, `${name}.${process.pid}-${++parts}.part`)
        await writeFile(part, bytes, { flush: true })
        await rename(part, join(folder, name))
      },
      async get(name, sizeBytesMax) {
        const path = join(folder, name)
        const found = await stat(path).catch(() => undefined)
        return found && found.size <= sizeBytesMax ? readFile(path).catch(() => undefined) : undefined
      },
      async list() {
        const names = (await readdir(folder)).filter(isWhole)
        const files = names.map(async name => {
          const found = await stat(join(folder, name)).catch(() => undefined)
          return found ? [{ name, putAt: found.mtimeMs }] : []
        })
        return (await Promise.all(files)).flat()
      },
      remove: name => rm(join(folder, name), { force: true }),
      close: async () => undefined,
    }
  },
}
export default storage
