import type { Loaded } from './choose-group.js'
import { switchOf } from './switch-of.js'

/** How many have these models loaded, and how many these LoRAs with them. */
export function countLoaded(
  servers: readonly { loaded: Loaded | undefined }[],
  wanted: Loaded,
): { models: number; loras: number } {
  const counts = { models: 0, loras: 0 }
  for (const { loaded } of servers) {
    const needed = switchOf(wanted, loaded)
    if (needed !== 'models') counts.models++
    if (needed === 'none') counts.loras++
  }
  return counts
}
