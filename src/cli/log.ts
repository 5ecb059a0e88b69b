import { createWriteStream } from 'node:fs'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.js'

/** JSON lines to stderr, or to the configured file. */
export function createLog(config: Config): Logger {
  const { level, file } = config.log
  const destination =
    file === undefined ? pino.destination({ fd: 2, sync: false }) : createWriteStream(file, { flags: 'a' })
  return pino({ level, base: { pid: process.pid } }, destination)
}

/** Commands speak for themselves: their log is silent unless asked for, or written to a file. */
export function commandLog(config: Config, isVerbose: boolean): Logger {
  return isVerbose || config.log.file !== undefined ? createLog(config) : pino({ level: 'silent' })
}
