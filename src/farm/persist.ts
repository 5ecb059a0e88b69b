import type { Logger } from 'pino'
import { FoundryError } from '../errors.js'
import type { Signal } from './signal.js'

/** How often a write that the disk refused is tried again. */
export const storageRetryMs = 1000

/** Where something else lies in the way of a file, waiting mends nothing: such a write is told after so many tries. */
const inTheWay: ReadonlySet<unknown> = new Set(['ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG', 'ELOOP'])
const inTheWayTriesMax = 3

interface Waiting {
  log: Logger
  signal: Signal
  abort: AbortSignal
}

/**
 * Does what writes until the disk takes it: while a disk is full nothing is acknowledged, sent or lost, and work goes on when
 * there is room. Rejects with the last FILE_WRITE_FAILED once `abort` ends the waiting, and at once with everything else.
 */
export async function persist<Result>(write: () => Promise<Result>, { log, signal, abort }: Waiting): Promise<Result> {
  for (;;) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof FoundryError) || error.code !== 'FILE_WRITE_FAILED' || abort.aborted) throw error
      log.error({ reason: error.message, retryMs: storageRetryMs }, 'the disk refuses to write, waiting')
      await signal.wait(storageRetryMs, abort)
    }
  }
}

/** The same for files of one run, which keep nobody else from working: undefined where something lies in their way. */
export async function persistThere<Result>(
  write: () => Promise<Result>,
  waiting: Waiting,
): Promise<Result | undefined> {
  let tries = 0
  const writeOnce = async () => {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof FoundryError) || !inTheWay.has(error.details['reason'])) throw error
      if (++tries < inTheWayTriesMax) throw error
      waiting.log.error({ reason: error.message }, 'something lies in the way')
      return undefined
    }
  }
  return persist(writeOnce, waiting)
}
