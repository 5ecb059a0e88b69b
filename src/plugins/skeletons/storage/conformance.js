// @ts-check
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sampleHost } from 'persona-foundry/conformance'
import plugin from './index.js'

/**
 * What `foundry plugins test` opens for each of its checks: an empty storage, and another one of the same options.
 *
 * @returns {Promise<import('persona-foundry/conformance').StorageSubject>}
 */
export default async function open() {
  const folder = await mkdtemp(join(tmpdir(), '__name__-'))
  const reopen = () => plugin.open({ folder }, sampleHost)
  const storage = await reopen()
  return {
    storage,
    reopen,
    async close() {
      await storage.close()
      await rm(folder, { recursive: true })
    },
  }
}
