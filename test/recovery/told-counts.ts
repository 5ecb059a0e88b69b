import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a daemon tells of itself. */
export interface Told {
  /** Slots by state. */
  metrics: Record<string, number>
  status: Record<string, number>
  runs: number
  orphans: number
}

/** Asks the daemon of a home for its counters (I6); they are compared with a recount once it has ended. */
export async function toldCounts(home: string): Promise<Told> {
  const url = apiUrlOf(home)
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  const valueOf = (name: string) =>
    Number(
      lines
        .find(each => each.startsWith(`${name} `))
        ?.split(' ')
        .at(-1),
    )
  const slots = lines.flatMap(line => {
    const [, state, value] = /^foundry_slots\{state="(\w+)"\} (\d+)$/.exec(line) ?? []
    return state === undefined ? [] : [[state, Number(value)] as const]
  })
  const status = (await (await fetch(`${url}/status`)).json()) as { slots: Record<string, number> }
  return {
    metrics: Object.fromEntries(slots),
    status: status.slots,
    runs: valueOf('foundry_runs'),
    orphans: valueOf('foundry_orphans_total'),
  }
}

/** Where the daemon of a home answers. */
export function apiUrlOf(home: string): string {
  const { apiUrl } = JSON.parse(readFileSync(join(home, '.foundry', 'owner.json'), 'utf8')) as { apiUrl: string }
  return apiUrl
}
