import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { openFoundry, type OpenFoundry, type OpenOptions } from '../daemon.js'
import { FoundryError } from '../errors.js'
import { findOwner } from '../files/own-home.js'

/** Most commands own a home for less than a second. */
const commandMsMax = 10_000
const retryMs = 100

/** Opens a home as a daemon does: a command that owns it is waited for, another daemon is not. Throws HOME_OWNED. */
export async function openWhenFree(config: Config, options: OpenOptions): Promise<OpenFoundry> {
  const giveUpAt = performance.now() + commandMsMax
  for (;;) {
    try {
      return await openFoundry(config, options)
    } catch (error) {
      if (!(error instanceof FoundryError) || error.code !== 'HOME_OWNED') throw error
      // Only daemons announce an address.
      const isDaemon = (await findOwner(config.paths.home))?.apiUrl !== undefined
      if (isDaemon || performance.now() > giveUpAt) throw error
      await sleep(retryMs)
    }
  }
}
