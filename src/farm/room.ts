import type { ServerEntry } from '../schema/config.js'
import type { Fitness } from './fitness.js'
import { exceededLimit } from './limits.js'
import type { Presence } from './presence.js'
import type { RunGroup } from './run-backlog.js'

/** A server that a group may go to. */
interface Candidate {
  entry: Pick<ServerEntry, 'name' | 'limits'>
  renderer: string | undefined
  presence: Pick<Presence, 'state'>
  fitness: Pick<Fitness, 'whyUnfit' | 'isTaking'>
  room: Pick<Room, 'lackFor'>
  isTaking(): boolean
}

const bytesPerGB = 2 ** 30

/**
 * Whether models fit on the card of a server. ComfyUI moves models there one by one, and what is larger than the card part by
 * part, which is slow: so the largest file decides, not their sum.
 */
export class Room {
  private probe: Presence['probe']
  private cardBytes = Infinity
  /** Bytes by name. */
  private tooLarge: ReadonlyMap<string, number> = new Map()

  constructor(
    private readonly entry: Pick<ServerEntry, 'vramGB'>,
    private readonly presence: Pick<Presence, 'probe'>,
  ) {}

  /** Whether the server has models that are larger than its card. */
  get isTight(): boolean {
    if (this.presence.probe !== this.probe) this.measure(this.presence.probe)
    return this.tooLarge.size > 0
  }

  /** The model that is larger than the card, in words; undefined where all fit, or nobody has told their sizes. */
  lackFor({ models }: Pick<RunGroup, 'models'>): string | undefined {
    if (!this.isTight) return undefined
    const name = models.find(each => this.tooLarge.has(each))
    if (name === undefined) return undefined
    return `${name} (${inGB(this.tooLarge.get(name) ?? 0)}) is larger than its card (${inGB(this.cardBytes)})`
  }

  private measure(probe: Presence['probe']): void {
    const { vramGB } = this.entry
    this.probe = probe
    this.cardBytes = vramGB === undefined ? (probe?.vramTotalBytes ?? Infinity) : vramGB * bytesPerGB
    const sizes = Object.values(probe?.modelSizes ?? {}).flatMap(folder => Object.entries(folder))
    const tooLarge = sizes.filter(([, sizeBytes]) => sizeBytes > this.cardBytes)
    this.tooLarge = new Map(tooLarge.map(([spelled, sizeBytes]) => [spelled.replaceAll('\\', '/'), sizeBytes]))
  }
}

/**
 * Why a server leaves a group to others: its card is too small for it, and one that takes jobs has room. Where none has, it
 * renders the group itself, slowly. `mayRun` is told more that keeps another from it.
 */
export function whyLeft(
  worker: Candidate,
  workers: readonly Candidate[],
  group: RunGroup,
  mayRun: (other: Candidate) => boolean = () => true,
): string | undefined {
  const lack = worker.room.lackFor(group)
  if (lack === undefined) return undefined
  const larger = workers.find(
    other =>
      other !== worker &&
      (other.renderer ?? group.renderer) === group.renderer &&
      mayTake(other) &&
      other.fitness.whyUnfit(group) === undefined &&
      other.room.lackFor(group) === undefined &&
      exceededLimit(other.entry.limits ?? {}, group.tags, () => 0) === undefined &&
      mayRun(other),
  )
  return larger && `${lack}, and ${larger.entry.name} has room`
}

/** One that was not heard yet is waited for until it has answered, or does not. */
function mayTake(server: Candidate): boolean {
  return server.isTaking() || (server.presence.state === 'unknown' && server.fitness.isTaking(0))
}

function inGB(bytes: number): string {
  return `${Math.round((bytes / bytesPerGB) * 10) / 10} GB`
}
