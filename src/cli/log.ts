import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.js'
import { createLog } from '../daemon.js'

/** Commands speak for themselves: their log is silent unless asked for, or written to a file. */
export function commandLog(config: Config, isVerbose: boolean): Logger {
  return isVerbose || config.log.file !== undefined ? createLog(config) : pino({ level: 'silent' })
}
