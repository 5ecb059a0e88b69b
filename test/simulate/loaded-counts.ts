import type { Loaded } from '../../src/farm/choose-group.js'

/** How many servers have which models loaded, and with which LoRAs: kept, not counted again for every choice. */
export class LoadedCounts {
  private readonly models = new Map<string, number>()
  private readonly loras = new Map<string, Map<string, number>>()
  /** Lists of LoRAs are never changed, so that each is joined once. */
  private readonly keys = new WeakMap<readonly string[], string>()

  of({ modelSet, loras }: Loaded): { models: number; loras: number } {
    return {
      models: this.models.get(modelSet) ?? 0,
      loras: this.loras.get(modelSet)?.get(this.keyOf(loras)) ?? 0,
    }
  }

  add(loaded: Loaded | undefined, count: 1 | -1): void {
    if (!loaded) return
    const { modelSet, loras } = loaded
    this.models.set(modelSet, (this.models.get(modelSet) ?? 0) + count)
    const byLoras = this.loras.get(modelSet) ?? new Map<string, number>()
    this.loras.set(modelSet, byLoras)
    byLoras.set(this.keyOf(loras), (byLoras.get(this.keyOf(loras)) ?? 0) + count)
  }

  private keyOf(loras: readonly string[]): string {
    let key = this.keys.get(loras)
    if (key === undefined) {
      key = loras.join()
      this.keys.set(loras, key)
    }
    return key
  }
}
