import { lstat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { failure, FoundryError } from '../errors.js'
import { realInside } from '../files/confined-path.js'
import type { Foundry } from './foundry.js'
import type { Caller } from './operation.js'

/** How a caller names a file or a folder. */
export const pathSchema = { type: 'string', minLength: 1, maxLength: 4096 } as const

/**
 * A path that a caller names, absolute; relative ones start at the home. Whoever can reach the API reaches no other file than
 * those of the home and of the configured call folders, links resolved, and nothing that the foundry keeps for itself.
 * Throws PATH_ESCAPES.
 */
export async function reachablePath({ config }: Foundry, { reach }: Caller, path: string): Promise<string> {
  const { home, dot, manifests } = config.paths
  const absolute = resolve(home, path)
  if (reach === 'machine') return absolute
  for (const root of [home, manifests, ...config.callFolders]) {
    const real = await insideOrNothing(root, absolute)
    if (real !== undefined && (await insideOrNothing(dot, real)) === undefined) return absolute
  }
  throw failure('PATH_ESCAPES', { path, root: 'the home and its call folders' })
}

/** As `reachablePath`, for a file that is about to be written: over the API, nothing that exists is replaced. */
export async function writablePath(foundry: Foundry, caller: Caller, path: string): Promise<string> {
  const absolute = await reachablePath(foundry, caller, path)
  if (caller.reach === 'machine') return absolute
  const isThere = await lstat(absolute).then(
    () => true,
    () => false,
  )
  if (isThere) throw failure('USAGE_INVALID', { problem: 'The output exists already', next: 'name a new file' })
  return absolute
}

async function insideOrNothing(root: string, path: string): Promise<string | undefined> {
  try {
    return await realInside(root, path)
  } catch (error) {
    if (error instanceof FoundryError) return undefined
    throw error
  }
}
