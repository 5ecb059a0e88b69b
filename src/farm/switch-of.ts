import type { Loaded } from './choose-group.js'
import type { Active } from './worker-host.js'

/** What a server must load for a group, when it has loaded what it needed before. */
export function switchOf(group: Loaded, before: Loaded | undefined): Active['loads'] {
  if (group.modelSet !== before?.modelSet) return 'models'
  return group.loras.length === before.loras.length && group.loras.every((lora, at) => lora === before.loras[at])
    ? 'none'
    : 'loras'
}
