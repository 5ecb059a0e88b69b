import { lstat, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { failure, reasonOf } from '../errors.js'

/**
 * The absolute path of something named inside a root. Names come from files written on any system, so `\` separates
 * as `/` does. Throws PATH_ESCAPES for absolute paths, drive letters, NUL, and `..` that leads outside.
 * Links are not looked at: see `confineReal`.
 */
export function confine(root: string, path: string): string {
  const posix = toPosix(path)
  if (posix.includes('\0') || posix.startsWith('/') || /^[a-z]:/i.test(posix)) throw escapes(root, path)
  const absoluteRoot = resolve(root)
  const target = resolve(absoluteRoot, posix)
  if (!isWithin(absoluteRoot, target)) throw escapes(root, path)
  return target
}

/**
 * As `confine`, with symbolic links resolved as far as the path exists: what is returned holds no link.
 * Throws PATH_ESCAPES, also for links that lead nowhere, and FILE_UNREADABLE.
 */
export async function confineReal(root: string, path: string): Promise<string> {
  return realInside(root, confine(root, path))
}

/** The real path of an absolute path that must lie in a root. Throws PATH_ESCAPES and FILE_UNREADABLE. */
export async function realInside(root: string, path: string): Promise<string> {
  const realRoot = await realpathOf(root)
  if (realRoot === undefined) throw failure('FILE_UNREADABLE', { file: root, reason: 'ENOENT' })
  let existing = resolve(path)
  let missing = ''
  let real = await realpathOf(existing)
  while (real === undefined) {
    // A link whose target is missing would be followed by whoever creates the file.
    if (await isLink(existing)) throw escapes(root, path)
    missing = join(basename(existing), missing)
    existing = dirname(existing)
    real = await realpathOf(existing)
  }
  const target = missing === '' ? real : join(real, missing)
  if (!isWithin(realRoot, target)) throw escapes(root, path)
  return target
}

/** A path with `/` between its parts, whatever system it was written on. */
export function toPosix(path: string): string {
  return path.replaceAll('\\', '/')
}

function isWithin(root: string, target: string): boolean {
  const way = relative(root, target)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

async function realpathOf(path: string): Promise<string | undefined> {
  try {
    return await realpath(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw failure('FILE_UNREADABLE', { file: path, reason: code ?? reasonOf(error) }, error)
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch {
    // Nothing lies there, so there is nothing to follow.
    return false
  }
}

function escapes(root: string, path: string) {
  return failure('PATH_ESCAPES', { path, root })
}
