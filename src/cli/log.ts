import { closeSync, createWriteStream, openSync } from 'node:fs'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.js'
import { failure } from '../errors.js'

/** JSON lines to stderr, or to the configured file. */
export function createLog(config: Config): Logger {
  const { level, file } = config.log
  const destination = file === undefined ? pino.destination({ fd: 2, sync: false }) : logFile(file)
  return pino({ level, base: { pid: process.pid } }, destination)
}

/** Commands speak for themselves: their log is silent unless asked for, or written to a file. */
export function commandLog(config: Config, isVerbose: boolean): Logger {
  return isVerbose || config.log.file !== undefined ? createLog(config) : pino({ level: 'silent' })
}

/**
 * A file that takes lines while its disk does: those that it refuses are lost, and the work goes on without them.
 * Throws FILE_WRITE_FAILED when it cannot even be opened.
 */
function logFile(path: string): { write(line: string): void } {
  try {
    closeSync(openSync(path, 'a'))
  } catch (error) {
    throw failure('FILE_WRITE_FAILED', { file: path, reason: (error as NodeJS.ErrnoException).code ?? '' }, error)
  }
  const open = () => createWriteStream(path, { flags: 'a' }).on('error', () => undefined)
  let stream = open()
  return {
    write(line) {
      if (stream.destroyed) {
        stream = open()
        // The last line may have been written in part.
        stream.write('\n')
      }
      stream.write(line)
    },
  }
}
