import type { Loaded } from './choose-group.js'

/** How many have these models loaded, and how many these LoRAs with them. */
export function countLoaded(
  servers: readonly { loaded: Loaded | undefined }[],
  { modelSet, loras }: Loaded,
): { models: number; loras: number } {
  const counts = { models: 0, loras: 0 }
  for (const { loaded } of servers) {
    if (loaded?.modelSet !== modelSet) continue
    counts.models++
    if (loaded.loras.length === loras.length && loaded.loras.every((lora, at) => lora === loras[at])) counts.loras++
  }
  return counts
}
