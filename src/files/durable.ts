import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, type FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { errorCodes, failure, FoundryError, reasonOf } from '../errors.js'
import { faultyLength, systemFault } from './failpoint.js'
import { sha256File } from './hash.js'
import { type OpenFile, systemCalls } from './system-calls.js'
import { takeTurns } from './take-turns.js'

// Every write goes through `writeAll` and every fsync through `sync…`, so that faults can be rehearsed everywhere.
// A function that answers has made its effect durable, unless it says otherwise.

const { link, mkdir, open, rename, stat, unlink } = systemCalls
const temporaryPrefix = '.foundry-temporary-'

/** A whole file, or its pieces in order, for files that are larger than memory should hold. */
export type Content = string | Uint8Array | AsyncIterable<Uint8Array>

/**
 * Writes a whole file, new or replaced: readers, and whoever starts after a crash, see the old bytes or the new ones.
 * The mode applies to the new file, less the umask. Throws FILE_WRITE_FAILED, and what the pieces fail with; the old file
 * then stands.
 */
export async function replaceFile(
  path: string,
  bytes: Content,
  { mode = 0o666 }: { mode?: number } = {},
): Promise<void> {
  const temporary = temporaryBeside(path)
  try {
    await writeSynced(temporary, bytes, mode)
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await discard(temporary)
    throw writeFailed(path, error)
  }
}

/**
 * Gives a staged, synced file its final name if nothing has that name yet. `linked` and `same` (equal bytes were there
 * first) remove the staged file; `different` leaves both as they are. An empty file under the final name is what a crash
 * leaves where hard links are missing, and counts as nothing. The caller then syncs the target's folder.
 * Throws FILE_WRITE_FAILED.
 */
export async function linkFirst(staged: string, target: string): Promise<'linked' | 'same' | 'different'> {
  try {
    const outcome = await linkOrCompare(staged, target)
    if (outcome !== 'different') await unlinkIfThere(staged)
    return outcome
  } catch (error) {
    throw writeFailed(target, error)
  }
}

/**
 * Copies a file under a new name, sharing its blocks where the filesystem can. Nothing is overwritten and a crash leaves
 * no half copy: `same` means that equal bytes were there already, `different` that nothing was done.
 * Throws FILE_WRITE_FAILED.
 */
export async function copyDurable(from: string, to: string): Promise<'linked' | 'same' | 'different'> {
  const temporary = temporaryBeside(to)
  try {
    await copySynced(from, temporary)
    const outcome = await linkFirst(temporary, to)
    await syncFolder(dirname(to))
    return outcome
  } catch (error) {
    throw writeFailed(to, error)
  } finally {
    await discard(temporary)
  }
}

/**
 * Gives a file a second name in another folder, or copies it there where the filesystem has no such names. Nothing is
 * overwritten: `same` means that equal bytes were there already, `different` that others were. Throws FILE_WRITE_FAILED.
 */
export async function linkOrCopy(from: string, to: string): Promise<'linked' | 'copied' | 'same' | 'different'> {
  try {
    await systemFault('link')
    await link(from, to)
    await syncFolder(dirname(to))
    return 'linked'
  } catch {
    // Whatever stands in the way of a link, a copy finds out whether it is there already, or what really is wrong.
    const outcome = await copyDurable(from, to)
    return outcome === 'linked' ? 'copied' : outcome
  }
}

/**
 * Writes a whole file under a name that nothing bears yet. `same` means that equal bytes were there already, `different` that
 * others were, which stand as they are. Throws FILE_WRITE_FAILED, and what the pieces fail with.
 */
export async function writeFirst(path: string, bytes: Content): Promise<'linked' | 'same' | 'different'> {
  const temporary = temporaryBeside(path)
  try {
    await writeSynced(temporary, bytes, 0o666)
    const outcome = await linkFirst(temporary, path)
    await syncFolder(dirname(path))
    return outcome
  } catch (error) {
    throw writeFailed(path, error)
  } finally {
    await discard(temporary)
  }
}

/** Removes a file; one that is not there is fine. Throws FILE_WRITE_FAILED. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlinkIfThere(path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw writeFailed(path, error)
  }
}

/**
 * Makes a folder and those above it. One by one: where a file system takes no folders (`/proc`), the recursive call of Node
 * never ends. Throws FILE_WRITE_FAILED.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeEach(resolve(path))
  } catch (error) {
    throw writeFailed(path, error)
  }
}

async function makeEach(path: string): Promise<void> {
  if (await makeOne(path)) return
  await makeEach(dirname(path))
  if (!(await makeOne(path))) await mkdir(path)
}

/** False where the folder above is missing, too. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    await syncFolder(dirname(path))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && dirname(path) !== path) return false
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return true
    throw error
  }
}

/**
 * Makes names created, changed or removed in a folder durable. Windows has no such call and needs none from us.
 * Throws FILE_WRITE_FAILED.
 */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  try {
    const next = nextSync.get(path) ?? inTurn(path, () => beginSync(path))
    nextSync.set(path, next)
    await next
  } catch (error) {
    throw writeFailed(path, error)
  }
}

/** Syncs of folders that have not begun: one serves all who have asked before. */
const nextSync = new Map<string, Promise<void>>()
const inTurn = takeTurns<string>()

function beginSync(path: string): Promise<void> {
  nextSync.delete(path)
  return syncReadable(path)
}

/**
 * Makes a file's bytes and everything about it durable. Throws what the system says, and that is final: it forgets what
 * it could not write, so that a second try would succeed for nothing.
 */
export async function syncHandle(handle: OpenFile): Promise<void> {
  await systemFault('fsync')
  await handle.sync()
}

/** Makes a file's bytes and size durable, not its times: enough for appending. */
export async function syncData(handle: FileHandle): Promise<void> {
  await systemFault('fsync')
  await handle.datasync()
}

/**
 * Writes all bytes, from `position` if given. A disk that fills takes a part and complains only at the next try.
 * Throws what the system says.
 */
export async function writeAll(handle: OpenFile, bytes: string | Uint8Array, position?: number): Promise<void> {
  const whole = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  let writtenBytes = 0
  while (writtenBytes < whole.length) {
    const lengthBytes = await faultyLength(whole.length - writtenBytes)
    const at = position === undefined ? null : position + writtenBytes
    const { bytesWritten } = await handle.write(whole, writtenBytes, lengthBytes, at)
    if (bytesWritten === 0) throw new FoundryError('EIO', 'the system wrote nothing and gave no reason')
    writtenBytes += bytesWritten
  }
}

/** Whether a name is that of a half-made file of this module; after a crash it may be removed. */
export function isTemporary(name: string): boolean {
  return name.startsWith(temporaryPrefix)
}

async function linkOrCompare(staged: string, target: string): Promise<'linked' | 'same' | 'different'> {
  try {
    await systemFault('link')
    await link(staged, target)
    return 'linked'
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (code === 'EEXIST') return settleExisting(staged, target)
    if (code === 'EXDEV') return linkCopy(staged, target)
    if (['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) return claimAndRename(staged, target)
    throw error
  }
}

/** The target's folder lies on another filesystem: what is linked there is a copy made there. */
async function linkCopy(staged: string, target: string): Promise<'linked' | 'same' | 'different'> {
  const temporary = temporaryBeside(target)
  try {
    await copySynced(staged, temporary)
    return await linkOrCompare(temporary, target)
  } finally {
    await discard(temporary)
  }
}

/** Without hard links, an empty file claims the name and is then replaced in one step: no half file ever bears it. */
async function claimAndRename(staged: string, target: string): Promise<'linked' | 'same' | 'different'> {
  try {
    const claim = await open(target, 'wx')
    await claim.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return settleExisting(staged, target)
  }
  await rename(staged, target)
  return 'linked'
}

async function settleExisting(staged: string, target: string): Promise<'linked' | 'same' | 'different'> {
  const [ours, theirs] = await Promise.all([stat(staged), stat(target)])
  if (theirs.isFile() && theirs.size === 0 && ours.size > 0) {
    await rename(staged, target)
    return 'linked'
  }
  if (!theirs.isFile() || ours.size !== theirs.size) return 'different'
  if (ours.ino === theirs.ino && ours.dev === theirs.dev) return 'same'
  const [our, their] = await Promise.all([sha256File(staged), sha256File(target)])
  return our.sha256 === their.sha256 ? 'same' : 'different'
}

async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await syncReadable(to)
}

/** A copy of a read-only file is read-only, and a folder cannot be opened for writing; a handle for reading syncs both. */
async function syncReadable(path: string): Promise<void> {
  const handle = await open(path, process.platform === 'win32' ? 'r+' : 'r')
  try {
    await syncHandle(handle)
  } finally {
    await handle.close()
  }
}

async function writeSynced(path: string, bytes: Content, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    if (typeof bytes === 'string' || bytes instanceof Uint8Array) await writeAll(handle, bytes)
    else for await (const piece of bytes) await writeAll(handle, piece)
    await syncHandle(handle)
  } finally {
    await handle.close()
  }
}

/** In the same folder, hence on the same filesystem, so that a rename is one step. */
function temporaryBeside(path: string): string {
  return join(dirname(path), temporaryName())
}

/** A name that `isTemporary` knows, of something that is half-made. */
export function temporaryName(): string {
  return `${temporaryPrefix}${randomUUID()}`
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function discard(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch {
    // Gone already, or left for the next start: its name says that it is temporary.
  }
}

function writeFailed(file: string, error: unknown): FoundryError {
  // Named already: by an inner call, or by whoever gave the pieces.
  if (error instanceof FoundryError && (errorCodes as readonly string[]).includes(error.code)) return error
  const code = (error as NodeJS.ErrnoException).code
  return failure('FILE_WRITE_FAILED', { file, reason: code ?? reasonOf(error) }, error)
}
