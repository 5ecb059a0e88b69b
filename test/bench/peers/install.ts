import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../../../src/config/package-root.js'
import { reasonOf } from '../../../src/errors.js'
import { loaderFile, loaderText } from './load-peer.js'

const source = join(packageRoot, 'test', 'bench', 'peers')
const files = ['package.json', 'package-lock.json']
const installMsMax = 180_000

/**
 * The folder with the other clients, installed once outside of the repository: exactly what the lock file names, without
 * running their scripts. `undefined` where that is not possible.
 */
export async function installPeers(): Promise<{ folder: string } | { reason: string }> {
  const locked = createHash('sha256')
  for (const file of files) locked.update(await readFile(join(source, file)))
  const folder = join(tmpdir(), `foundry-bench-peers-${locked.digest('hex').slice(0, 12)}`)
  if (existsSync(folder)) return { folder }
  const making = await mkdtemp(join(tmpdir(), 'foundry-bench-peers-'))
  try {
    for (const file of files) await cp(join(source, file), join(making, file))
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: making,
      timeout: installMsMax,
    })
    await writeFile(join(making, loaderFile), loaderText)
    await rename(making, folder)
    return { folder }
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    return { reason: reasonOf(error) }
  }
}
