import type { Group } from '../../src/farm/choose-group.js'
import { Random, zipfSums } from './random.js'

/** What happens to a farm, whatever is decided in it. Times are milliseconds from its begin. */
export interface Scenario {
  seed: number
  servers: readonly ServerPlan[]
  groups: readonly GroupPlan[]
  /** In the order of time. */
  arrivals: Iterable<Arrival>
  spells: readonly Spell[]
  cancels: readonly { at: number; run: string }[]
  /** Probability that an attempt runs out of memory. */
  outOfMemory: number
  /** Renderings take up to so much longer or shorter: 0.1 is a tenth. */
  jitter: number
  attemptsMax: number
}

export interface ServerPlan {
  name: string
  /** 2 renders half as fast. */
  slowness: number
  swapMs: number
  patchMs: number
  depth: number
  /** Where it has not all of them. */
  modelSets?: ReadonlySet<string>
}

export interface GroupPlan extends Pick<Group, 'run' | 'band' | 'weight' | 'modelSet' | 'loras' | 'work'> {
  jobMs: number
}

export interface Arrival {
  at: number
  /** Its index. */
  group: number
  /** `fails`: ends with an error wherever it is rendered · `crashes`: takes its server down. */
  poison?: 'fails' | 'crashes'
}

/** `unreachable`: it renders on, unheard · `crashed`: what is on it is lost · `sick`: every job fails there at once. */
export interface Spell {
  server: number
  at: number
  ms: number
  kind: 'unreachable' | 'crashed' | 'sick'
}

export interface Size {
  servers: number
  modelSets: number
  jobMs: number
  swapMs: number
  patchMs: number
  /** LoRA sets of each model set. */
  loraSets: number
  runs: readonly { run: string; band: number; weight: number }[]
  depth: number
}

/** The farm that `reference/farms-and-engines.md` §0 (3) was measured with. */
export const referenceSize: Size = {
  servers: 8,
  modelSets: 12,
  jobMs: 20_000,
  swapMs: 30_000,
  patchMs: 2000,
  loraSets: 1,
  runs: [{ run: 'run', band: 0, weight: 1 }],
  depth: 2,
}

const calm = { spells: [], cancels: [], outOfMemory: 0, jitter: 0.1, attemptsMax: 4 }

/** Jobs that arrive for some hours, `load` times as many as the farm renders when it never swaps. */
export function arriveForHours(seed: number, { hours, load }: { hours: number; load: number }, size: Size): Scenario {
  const meanMs = size.jobMs / size.servers / load
  function* arrivals(): Generator<Arrival> {
    const chooser = groupChooser(seed, size)
    const random = new Random(seed ^ 0x5eed)
    for (let at = random.exponential(meanMs); at < hours * 3_600_000; at += random.exponential(meanMs))
      yield { at, group: chooser() }
  }
  return { seed, servers: servers(size), groups: groups(size), arrivals: { [Symbol.iterator]: arrivals }, ...calm }
}

/** So many jobs, all at the begin. */
export function arriveAtOnce(seed: number, jobs: number, size: Size): Scenario {
  function* arrivals(): Generator<Arrival> {
    const chooser = groupChooser(seed, size)
    for (let job = 0; job < jobs; job++) yield { at: 0, group: chooser() }
  }
  return { seed, servers: servers(size), groups: groups(size), arrivals: { [Symbol.iterator]: arrivals }, ...calm }
}

/** All kinds of failures, over the first `hours`. */
export function withFailures(scenario: Scenario, { hours, poison }: { hours: number; poison: number }): Scenario {
  const random = new Random(scenario.seed ^ 0xfa11)
  const spells: Spell[] = []
  const kinds = ['unreachable', 'crashed', 'sick'] as const
  for (let server = 0; server < scenario.servers.length; server++) {
    const meanMs = 20 * 60_000
    for (let at = random.exponential(meanMs); at < hours * 3_600_000; at += random.exponential(meanMs)) {
      const kind = kinds[random.below(3)] ?? 'crashed'
      spells.push({ server, at, kind, ms: random.between(1000, kind === 'sick' ? 600_000 : 300_000) })
    }
  }
  function* arrivals(): Generator<Arrival> {
    const dice = new Random(scenario.seed ^ 0xbad)
    for (const arrival of scenario.arrivals) {
      if (!dice.hits(poison)) yield arrival
      else yield { ...arrival, poison: dice.hits(0.5) ? 'fails' : 'crashes' }
    }
  }
  return { ...scenario, spells, arrivals: { [Symbol.iterator]: arrivals }, outOfMemory: 0.01 }
}

function servers({ servers, swapMs, patchMs, depth }: Size): ServerPlan[] {
  return Array.from({ length: servers }, (_, at) => ({ name: `server-${at}`, slowness: 1, swapMs, patchMs, depth }))
}

function groups({ modelSets, loraSets, runs, jobMs }: Size): GroupPlan[] {
  const plans: GroupPlan[] = []
  for (const run of runs) {
    for (let set = 0; set < modelSets; set++) {
      for (let lora = 0; lora < loraSets; lora++) {
        const loras = loraSets === 1 ? [] : [`style-${lora % 2}@0.8`, `identity-${lora}@1`]
        plans.push({ ...run, modelSet: `set-${set}`, loras, work: 'family/workflow', jobMs })
      }
    }
  }
  return plans
}

/** Model sets by Zipf, all else alike. */
function groupChooser(seed: number, { modelSets, loraSets, runs }: Size): () => number {
  const random = new Random(seed)
  const sums = zipfSums(modelSets)
  return () => (random.below(runs.length) * modelSets + random.pick(sums)) * loraSets + random.below(loraSets)
}
