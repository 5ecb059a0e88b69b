import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { withinTime } from '../files/within-time.js'
import type { Observer, ToldEvent } from './contract.js'
import type { PluginFolder } from './load-plugins.js'

/** The observers of a home. */
export interface Observers {
  /** Never waits, never throws. */
  tell(event: ToldEvent): void
  /** By plugin: events that it was told, that failed or took too long there, and that were left out because it was too slow. */
  counts(): Record<string, ObserverCounts>
  /** Tells what waits, within the limit of one event. */
  close(): Promise<void>
}

interface ObserverCounts {
  told: number
  failed: number
  leftOut: number
}

interface OpenObserver extends ObserverCounts {
  name: string
  observer: Observer
  waiting: ToldEvent[]
  telling: Promise<void> | undefined
  /** For each event; `Infinity` where its own process has bounds. */
  limitMs: number
}

const openLimitMs = 10_000
const tellLimitMs = 5000
const waitingMax = 1000

/** Opens the observers among the plugins. One that cannot be opened is logged, and told nothing. */
export async function openObservers(
  plugins: readonly PluginFolder[],
  { log, limitMs = tellLimitMs }: { log: Logger; limitMs?: number },
): Promise<Observers> {
  const observers: OpenObserver[] = []
  for (const { name, observer: plugin, options, isIsolated } of plugins) {
    if (!plugin) continue
    try {
      const opening = (async () => plugin.open(options, { log: log.child({ plugin: name }) }))()
      const observer = await withinTime(opening, isIsolated ? Infinity : openLimitMs, 'not opened')
      const counts = { told: 0, failed: 0, leftOut: 0 }
      observers.push({
        name,
        observer,
        waiting: [],
        telling: undefined,
        limitMs: isIsolated ? Infinity : limitMs,
        ...counts,
      })
    } catch (error) {
      log.error({ plugin: name, reason: reasonOf(error) }, 'observer could not be opened')
    }
  }
  const tellAll = async (each: OpenObserver) => {
    for (let event = each.waiting.shift(); event; event = each.waiting.shift()) {
      const next = event
      await withinTime((async () => each.observer.told(next))(), each.limitMs, 'no end').catch((error: unknown) => {
        each.failed++
        // The first says what is wrong; the others are counted.
        if (each.failed === 1)
          log.warn({ plugin: each.name, event: next.kind, reason: reasonOf(error) }, 'observer failed')
      })
      each.told++
    }
    each.telling = undefined
  }
  return {
    tell(event) {
      for (const each of observers) {
        if (each.waiting.length >= waitingMax) each.leftOut++
        else each.waiting.push(event)
        each.telling ??= Promise.resolve().then(() => tellAll(each))
      }
    },
    counts: () =>
      Object.fromEntries(observers.map(({ name, told, failed, leftOut }) => [name, { told, failed, leftOut }])),
    async close() {
      const ending = observers.map(async each => {
        await withinTime(Promise.resolve(each.telling), limitMs, 'not told all').catch(() => undefined)
        each.leftOut += each.waiting.splice(0).length
        await withinTime((async () => each.observer.close?.())(), each.limitMs, 'not closed')
      })
      await Promise.allSettled(ending)
      for (const { name, told, failed, leftOut } of observers)
        if (failed + leftOut > 0) log.warn({ plugin: name, told, failed, leftOut }, 'observer missed events')
    },
  }
}
