import type { Logger } from 'pino'

/** Level names by pino's numbers. */
const levels: Readonly<Record<number, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** Writes a line that pino wrote in another process into a log of this one. One that is none is left out. */
export function relayLog(line: string, log: Logger): void {
  const { level, msg, ...fields } = fieldsOf(line)
  const name = levels[Number(level)]
  if (name) log[name](fields, typeof msg === 'string' ? msg : '')
}

function fieldsOf(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    // Its author wrote it by hand.
    return {}
  }
}
