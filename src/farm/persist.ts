import type { Logger } from 'pino'
import { FoundryError } from '../errors.js'
import type { Signal } from './signal.js'

/** How often a write that the disk refused is tried again. */
export const storageRetryMs = 1000

/**
 * Does what writes until the disk takes it: while a disk is full nothing is acknowledged, sent or lost, and work goes on when
 * there is room. Rejects with the last FILE_WRITE_FAILED once `abort` ends the waiting, and at once with everything else.
 */
export async function persist<Result>(
  write: () => Promise<Result>,
  { log, signal, abort }: { log: Logger; signal: Signal; abort: AbortSignal },
): Promise<Result> {
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
