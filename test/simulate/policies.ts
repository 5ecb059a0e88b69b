import { chooseGroup, type FarmView, type ServerView } from '../../src/farm/choose-group.js'
import type { Lane } from './lane.js'

/** How a farm is run: what a free place takes, and whether idle servers take work back from others. */
export interface Policy {
  name: string
  choose(lanes: readonly Lane[], server: ServerView, farm: FarmView): Lane | undefined
  steals: boolean
}

export const ours: Policy = {
  name: 'ours',
  // Of the lanes that it is given it answers one.
  choose: (lanes, server, farm) => chooseGroup(lanes, server, farm) as Lane | undefined,
  steals: true,
}

/** Policy models: published or plain ways of choosing, as the programs of that name may work, never those programs. */
export const fifo: Policy = { name: 'FIFO (policy model)', choose: chooseOldest, steals: false }

/** Pull: of the few oldest jobs, the age in place of a priority, the one whose models are loaded, else the oldest. */
export const pull: Policy = pullLooking('Horde-like pull with ageing (policy model)', 4)

export const lookAhead: Policy = pullLooking('InvokeAI-like look 32 ahead (policy model)', 32)

/**
 * Checkpoint pressure: what is loaded goes on; else the model with the highest pressure is loaded, which is ten for each request
 * and one for each second since the first of them came.
 */
export const pressure: Policy = {
  name: 'SwarmUI-like checkpoint pressure (policy model)',
  steals: false,
  choose(lanes, server, farm) {
    const able = lanes.filter(lane => lane.waiting > 0 && server.takes(lane))
    const hot = able.filter(lane => lane.modelSet === server.loaded?.modelSet)
    if (hot.length > 0) return chooseOldest(hot, server)
    const pressures = new Map<string, { count: number; since: number }>()
    for (const { modelSet, waiting, waitsSince } of able) {
      const known = pressures.get(modelSet) ?? { count: 0, since: waitsSince }
      pressures.set(modelSet, { count: known.count + waiting, since: Math.min(known.since, waitsSince) })
    }
    const pressureOf = ({ modelSet }: Lane) => {
      const { count, since } = pressures.get(modelSet) ?? { count: 0, since: farm.now }
      return count * 10 + (farm.now - since) / 1000
    }
    const most = able.reduce((most, lane) => Math.max(most, pressureOf(lane)), -Infinity)
    return chooseOldest(
      able.filter(lane => pressureOf(lane) === most),
      server,
    )
  },
}

function chooseOldest(lanes: readonly Lane[], server: ServerView): Lane | undefined {
  const able = lanes.filter(lane => lane.waiting > 0 && server.takes(lane))
  return able.reduce<Lane | undefined>((oldest, lane) => (isOlder(lane, oldest) ? lane : oldest), undefined)
}

function isOlder(lane: Lane, other: Lane | undefined): boolean {
  return other === undefined || (lane.oldest?.id ?? Infinity) < (other.oldest?.id ?? Infinity)
}

function pullLooking(name: string, ahead: number): Policy {
  return {
    name,
    steals: false,
    choose(lanes, server) {
      const able = lanes.filter(lane => lane.waiting > 0 && server.takes(lane))
      const oldest = able.flatMap(lane => lane.first(ahead)).sort((a, b) => a.id - b.id)
      const looked = oldest.slice(0, ahead)
      return (looked.find(({ lane }) => lane.modelSet === server.loaded?.modelSet) ?? looked[0])?.lane
    },
  }
}
