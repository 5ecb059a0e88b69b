import type { EngineHost, QueueEngine } from '../../src/plugins/contract.js'
import { createEngine } from './engine.js'
import { bullmqFailure } from './errors.js'
import { judgeServer, oldestVersion } from './judge-server.js'
import { Lanes } from './lanes.js'
import { readSettings, type Settings } from './options.js'
import { RedisLink } from './redis-link.js'

/** Throws BULLMQ_UNREACHABLE, and BULLMQ_EVICTS or BULLMQ_TOO_OLD where jobs would not be safe. */
export async function openEngine(options: Readonly<Record<string, unknown>>, host: EngineHost): Promise<QueueEngine> {
  const settings = await readSettings(options, host.home)
  const link = new RedisLink(settings, host)
  try {
    await link.open()
    await checkServer(link, settings, host)
    const lanes = new Lanes(link, settings.prefix, host)
    await link.ask(() => lanes.ready())
    return createEngine({ link, lanes, prefix: settings.prefix, log: host.log })
  } catch (error) {
    await link.close()
    throw error
  }
}

async function checkServer(link: RedisLink, { address }: Settings, host: EngineHost): Promise<void> {
  const { version, isTooOld, evicts, warnings } = judgeServer(await link.ask(() => link.client.info()))
  for (const warning of warnings) host.log.warn({ redis: address, version }, warning)
  if (isTooOld) throw bullmqFailure('TOO_OLD', { address, version, oldest: oldestVersion })
  if (evicts !== undefined) throw bullmqFailure('EVICTS', { address, policy: evicts })
}
