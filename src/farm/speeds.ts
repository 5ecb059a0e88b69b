/** Newer measurements weigh so much. */
const newest = 0.25

export interface Rate {
  ms: number
  count: number
  /** How far a measurement lies from the mean, on average; 0 before there are two. */
  spreadMs: number
}

interface Mean extends Rate {
  /** Measurements of earlier processes beside those that are counted. */
  earlier?: number
}

/** What is known of the speed of one server, by work, as plain data. */
export interface Rates {
  server: string
  /** Renderings that had nothing to load. */
  works: Record<string, Rate>
  /** What loading models added, and LoRAs alone. */
  models?: Rate
  loras?: Rate
}

/** What an attempt had to load before it could render. */
export type Switch = 'none' | 'loras' | 'models'
type Loading = Exclude<Switch, 'none'>

/**
 * What is known of the speed of servers: moving means in milliseconds, of renderings that had nothing to load by server and
 * work, and of what loading added. Where a server was not measured yet, the mean of the others stands in.
 */
export class Speeds {
  /** By server and work: asked for every server at every choice, so no key is put together. */
  private readonly own = new Map<string, Map<string, Mean>>()
  private readonly all = new Map<string, Mean>()
  /** Renderings that had to load something, of servers and works that nobody has measured without. */
  private readonly first = new Map<string, { renderMs: number; loaded: Loading }>()

  /** Takes the duration of a rendering. */
  add(server: string, work: string, { renderMs, loaded }: { renderMs: number; loaded: Switch }): void {
    const key = `${server} ${work}`
    if (loaded === 'none') {
      this.note(server, work, renderMs)
      const first = this.first.get(key)
      this.first.delete(key)
      if (first) this.noteLoading(server, first.loaded, first.renderMs - renderMs)
      return
    }
    const warm = this.meanOf(server, work)
    // Until a warm one was seen, nobody can tell what of it was loading.
    if (warm === undefined) this.first.set(key, { renderMs, loaded })
    else this.noteLoading(server, loaded, renderMs - warm.ms)
  }

  /** A rendering that has nothing to load; undefined before anybody rendered such work. */
  jobMs(server: string, work: string): number | undefined {
    return this.meanOf(server, work)?.ms
  }

  /** Measurements of this server itself. */
  countOf(server: string, work: string): number {
    return this.own.get(server)?.get(work)?.count ?? 0
  }

  /** What loading models adds, or LoRAs alone; 0 before it was seen. */
  switchMs(server: string, loaded: Loading): number {
    return this.meanOf(server, loadKey[loaded])?.ms ?? 0
  }

  /** Its own measurements by work. */
  of(server: string): Record<string, number> {
    return Object.fromEntries([...(this.own.get(server) ?? [])].map(([work, { ms }]) => [work, Math.round(ms)]))
  }

  /** Its measurements stand for it no more: another machine may bear its name. */
  forget(server: string): void {
    this.own.delete(server)
    for (const key of this.first.keys()) if (key.startsWith(`${server} `)) this.first.delete(key)
  }

  /** All that was measured, by server, to be kept or to be reckoned with. */
  export(): Rates[] {
    return [...this.own].map(([server, means]) => {
      const rates: Rates = { server, works: {} }
      for (const [work, { ms, count, earlier = 0, spreadMs }] of means) {
        const rate = { ms, count: count + earlier, spreadMs }
        if (work === loadKey.models) rates.models = rate
        else if (work === loadKey.loras) rates.loras = rate
        else rates.works[work] = rate
      }
      return rates
    })
  }

  /** Takes what an earlier process measured: good for a guess, while what is measured now soon outweighs it. */
  import(all: readonly Rates[]): void {
    const take = (server: string, key: string, rate: Rate | undefined) => {
      if (!rate) return
      const mean = { ...rate, count: 1, earlier: rate.count - 1 }
      this.set(server, key, mean)
      const others = this.all.get(key)
      const count = (others?.count ?? 0) + 1
      this.all.set(key, { ...mean, ms: ((others?.ms ?? 0) * (count - 1) + rate.ms) / count, count })
    }
    for (const { server, works, models, loras } of all) {
      for (const [work, rate] of Object.entries(works)) take(server, work, rate)
      take(server, loadKey.models, models)
      take(server, loadKey.loras, loras)
    }
  }

  private noteLoading(server: string, loaded: Loading, ms: number): void {
    this.note(server, loadKey[loaded], Math.max(0, ms))
  }

  private note(server: string, work: string, ms: number): void {
    this.set(server, work, moved(this.own.get(server)?.get(work), ms))
    this.all.set(work, moved(this.all.get(work), ms))
  }

  private set(server: string, work: string, mean: Mean): void {
    const means = this.own.get(server) ?? new Map<string, Mean>()
    this.own.set(server, means.set(work, mean))
  }

  private meanOf(server: string, work: string): Mean | undefined {
    return this.own.get(server)?.get(work) ?? this.all.get(work)
  }
}

/** No work has these names: a work is `<family>/<workflow>`. */
const loadKey = { models: 'loading models', loras: 'loading loras' } as const

function moved(mean: Mean | undefined, ms: number): Mean {
  if (!mean) return { ms, count: 1, spreadMs: 0 }
  const share = Math.max(newest, 1 / (mean.count + 1))
  const offMs = Math.abs(ms - mean.ms)
  return {
    ...mean,
    ms: mean.ms + (ms - mean.ms) * share,
    count: mean.count + 1,
    // The second measurement is the first that tells a spread.
    spreadMs: mean.count === 1 && mean.spreadMs === 0 ? offMs / 2 : mean.spreadMs + (offMs - mean.spreadMs) * share,
  }
}
