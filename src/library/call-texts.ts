import { dirname, isAbsolute, join } from 'node:path'
import type { Problem } from '../errors.js'
import { failure, FoundryError } from '../errors.js'
import { toPosix } from '../files/confined-path.js'
import { type FileStamp, openRegular, readBounded, sameStamp, stampAt } from '../files/read-bounded.js'
import { isMissing } from './file-problem.js'
import type { DropFile } from './read-document.js'

const PERSONA_SIZE_BYTES_MAX = 256 * 1024
/** A backdrop takes the first 400 characters; more is read so that redaction sees whole sentences. */
const TRANSCRIPT_READ_BYTES_MAX = 64 * 1024
const TRANSCRIPT_SIZE_BYTES_MAX = 2 ** 30
const channels = ['right-vocals', 'left-vocals']

/** What is wrong with a text, without a path or a word of it. */
export type Mistake = Pick<Problem, 'severity' | 'code' | 'message'>
export type TextReading = ({ text: string } | { problem: Mistake }) & {
  /** What was read, or where the text was looked for last. */
  files: DropFile[]
}

export interface PersonaPlaces {
  manifestPath: string
  runFolder: string
  roots: readonly string[]
}

/** A persona.md, wherever the path of its entry leads: only inside the run folder or one of the roots. */
export async function readPersonaText(path: string, places: PersonaPlaces): Promise<TextReading> {
  if (path.includes('\0')) return { ...missing, files: [] }
  let isOutside = false
  let lookedAt: string | undefined
  for (const { root, candidate } of candidatesOf(path, places)) {
    try {
      const { bytes, stat: stamp } = await readBounded(candidate, { sizeBytesMax: PERSONA_SIZE_BYTES_MAX, root })
      return { text: decode(bytes), files: [{ path: candidate, stamp, isClosed: false }] }
    } catch (error) {
      if (isOutsideOf(error)) isOutside = true
      else if (isMissing(error)) lookedAt = candidate
      else return { problem: toProblem(error, 'the text'), files: [await unreadFile(candidate)] }
    }
  }
  const files = lookedAt === undefined ? [] : [{ path: lookedAt, isClosed: false }]
  return { ...(isOutside || isForeign(toPosix(path)) ? escaping : missing), files }
}

/** The beginning of what was said in a call, from the preferred channel that has a file. */
export async function readTranscript(call: string, runFolder: string): Promise<TextReading> {
  const files: DropFile[] = []
  for (const channel of channels) {
    const path = join(runFolder, 'speakers', call, channel, `${channel}_segments.txt`)
    try {
      const { text, stamp } = await readBeginning(path, runFolder)
      return { text, files: [{ path, stamp, isClosed: false }] }
    } catch (error) {
      if (!isMissing(error)) return { problem: toProblem(error, 'the transcript'), files: [await unreadFile(path)] }
      files.push({ path, isClosed: false })
    }
  }
  return { ...warning('TRANSCRIPT_MISSING', 'no transcript: no backdrop'), files }
}

/**
 * As written, relative to the manifest, relative to the run folder, and by the part from `characters/` on: a path of another
 * machine, or of the folder in which the pipeline ran.
 */
function candidatesOf(
  written: string,
  { manifestPath, runFolder, roots }: PersonaPlaces,
): { root: string; candidate: string }[] {
  const path = toPosix(written)
  const tail = path.lastIndexOf('characters/')
  const tails = tail > 0 && path[tail - 1] === '/' ? [path.slice(tail)] : []
  const relatives = isForeign(path)
    ? tails.map(each => [runFolder, each] as const)
    : [
        [dirname(manifestPath), path] as const,
        [runFolder, path] as const,
        ...tails.map(each => [runFolder, each] as const),
      ]
  const absolutes = isAbsolute(written) ? [written] : []
  const candidates = [...absolutes, ...relatives.map(([folder, each]) => join(folder, each))]
  return candidates.flatMap(candidate => [runFolder, ...roots].map(root => ({ root, candidate })))
}

function isForeign(path: string): boolean {
  return path.startsWith('/') || /^[a-z]:/i.test(path)
}

function isOutsideOf(error: unknown): boolean {
  return error instanceof FoundryError && error.code === 'PATH_ESCAPES'
}

async function readBeginning(path: string, root: string): Promise<{ text: string; stamp: FileStamp }> {
  const { handle, stamp } = await openRegular(path, { sizeBytesMax: TRANSCRIPT_SIZE_BYTES_MAX, root })
  try {
    const buffer = Buffer.alloc(Math.min(stamp.sizeBytes, TRANSCRIPT_READ_BYTES_MAX))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
    if (!sameStamp(stamp, await stampAt(path))) throw failure('FILE_CHANGED_WHILE_READ', { file: path })
    return { text: decode(buffer.subarray(0, bytesRead)), stamp }
  } finally {
    await handle.close()
  }
}

/** UTF-8, or UTF-16 where a byte order mark says so. A character that the end cuts through is left out. */
function decode(bytes: Buffer): string {
  const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe
  return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes, { stream: true })
}

/** What changes is read again later, so it is an error; whatever else is wrong stays so, and the rest goes on. */
function toProblem(error: unknown, what: string): Mistake {
  if (!(error instanceof FoundryError)) throw error
  if (error.code === 'FILE_CHANGED_WHILE_READ')
    return { severity: 'error', code: error.code, message: `${what} changed while it was read` }
  const reason = error.code === 'FILE_TOO_LARGE' ? 'is too large' : 'cannot be read'
  return { severity: 'warning', code: 'CALL_TEXT_UNREADABLE', message: `${what} ${reason}` }
}

function warning(code: string, message: string): { problem: Mistake } {
  return { problem: { severity: 'warning', code, message } }
}

async function unreadFile(path: string): Promise<DropFile> {
  const stamp = await stampAt(path)
  return { path, ...(stamp && { stamp }), isClosed: false }
}

const escaping = warning(
  'PERSONA_PATH_ESCAPES',
  'the path leads outside of the call folder, and no such file lies inside',
)
const missing = warning('PERSONA_TEXT_MISSING', 'the text is not there')
