import { pino } from 'pino'
import plugin from '../../../plugins/engine-bullmq/index.js'
import type { QueueEngine } from '../../../src/plugins/contract.js'

/** An engine of the plugin, opened as the farm would, with what it logs. */
export async function openBullmq(
  options: Record<string, unknown>,
  home = 'home',
): Promise<{ engine: QueueEngine; logged: string[] }> {
  const logged: string[] = []
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  return { engine: await plugin.open(options, { log, home }), logged }
}
