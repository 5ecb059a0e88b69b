import type { Problem } from '../errors.js'
import { FoundryError, reasonOf } from '../errors.js'

/** A failed reading as a problem of a file. It names no path but `file`, which may be a path that must not be told. */
export function toFileProblem(thrown: unknown, file: string): Problem {
  if (!(thrown instanceof FoundryError)) throw thrown
  const { sizeBytes, sizeBytesMax, reason } = thrown.details
  const problem = { severity: 'error' as const, code: thrown.code, file }
  if (isMissing(thrown)) return { ...problem, message: 'is not there' }
  switch (thrown.code) {
    case 'FILE_TOO_LARGE':
      return {
        ...problem,
        message: 'is too large to be read',
        found: `${String(sizeBytes)} bytes`,
        allowed: `at most ${String(sizeBytesMax)} bytes`,
      }
    case 'FILE_NOT_REGULAR':
      return { ...problem, message: 'is not a regular file: only plain files are read' }
    case 'FILE_CHANGED_WHILE_READ':
      return { ...problem, message: 'changed while it was read' }
    case 'PATH_ESCAPES':
      return { ...problem, message: 'leads outside of the folder: only files inside are followed' }
    default:
      return { ...problem, message: 'cannot be read', found: reasonOf(reason ?? thrown.code) }
  }
}

/** Whether a reading failed because nothing lies there. */
export function isMissing(thrown: unknown): boolean {
  return thrown instanceof FoundryError && thrown.code === 'FILE_UNREADABLE' && isAbsent(thrown.details['reason'])
}

function isAbsent(reason: unknown): boolean {
  return reason === 'ENOENT' || reason === 'ENOTDIR'
}
