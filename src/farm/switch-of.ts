import type { Loaded } from './choose-group.js'
import type { Switch } from './speeds.js'

/** What a server must load for a group, when it has loaded what it needed before. */
export function switchOf(group: Loaded, before: Loaded | undefined): Switch {
  if (group.modelSet !== before?.modelSet) return 'models'
  return group.loras.length === before.loras.length && group.loras.every((lora, at) => lora === before.loras[at])
    ? 'none'
    : 'loras'
}
