import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import type { DraftServerOptions } from '../../plugins/provider-comfyui/draft-server/options.js'
import { checkHome, filesUnder, type HomeFacts } from './check-home.js'
import { makeHome } from './make-home.js'
import { type Draft, foundry, rendersOf, startDraft, until } from './processes.js'
import { layWire, type Wire, type WireOptions } from './wire.js'

/** One server of a farm: how it behaves, and further keys of its entry. */
export interface Member {
  options: DraftServerOptions
  entry?: Record<string, unknown>
  /** It is reached through a wire, which can be cut. */
  wire?: WireOptions
}

/** A draft server that runs. */
export interface Running extends Draft {
  name: string
  wire: Wire | undefined
}

export interface FarmCase {
  slots: number
  /** Exact seeds, one for each slot. */
  seeds?: readonly number[]
  members: readonly Member[]
  config?: Record<string, unknown>
  /** Renders that are allowed beyond one per picture. */
  extra: number
  meanwhile?(servers: readonly Running[], done: (count: number) => Promise<void>, home: string): Promise<void>
}

export interface FarmFacts {
  code: number | string
  facts: HomeFacts
  said: string
  /** Renders that began, by server. */
  renders: Record<string, number>
  /** Milliseconds from the end of each rendering to its commit. */
  heardMs: number[]
  faults: Record<string, number>[]
  /** What came from each server that has a wire. */
  carriedBytes: number[]
  /** Ends of attempts without a picture. */
  ended: { server: string; outcome: string; slot: number }[]
}

const picturesMsMax = 60_000

/** Renders an order on several servers, in a folder of its own, and checks what is left. The servers are processes unless said otherwise. */
export async function renderOn(
  folder: string,
  { slots, seeds, members, config, extra, meanwhile }: FarmCase,
  start: typeof startDraft = startDraft,
): Promise<FarmFacts> {
  mkdirSync(folder, { recursive: true })
  const home = join(folder, 'home')
  const servers: Running[] = []
  try {
    for (const [at, { options, wire }] of members.entries()) {
      const name = `gpu${at + 1}`
      const faults = { prepared: true, ...options.faults }
      const draft = await start(join(folder, `${name}.jsonl`), { ...options, faults })
      servers.push(Object.assign(draft, { name, wire: wire && (await layWire(draft.url, wire)) }))
    }
    const entries = servers.map(({ name, url, wire }, at) => ({ name, url: wire?.url ?? url, ...members[at]?.entry }))
    const order = makeHome(home, { slots, servers: entries, ...(seeds && { seeds }), ...(config && { config }) })
    const command = foundry(['render', order, '--home', home, '--json'])
    const done = (count: number) =>
      until(
        `${count} pictures`,
        () => filesUnder(join(home, 'runs')).filter(each => each.endsWith('.png')).length >= count,
        picturesMsMax,
      )
    try {
      await meanwhile?.(servers, done, home)
      const code = await command.ended
      const renders = servers.flatMap(({ ledgerFile }) => rendersOf(ledgerFile))
      const failures = renders.filter(render => render.outcome === 'error').length
      const facts = await checkHome(home, { renders, extraRenders: extra + failures })
      return {
        code,
        facts,
        said: command.stderr() + command.stdout(),
        renders: Object.fromEntries(servers.map(each => [each.name, rendersOf(each.ledgerFile).length])),
        heardMs: heardMs(facts, renders),
        carriedBytes: servers.flatMap(({ wire }) => wire?.carriedBytes() ?? []),
        faults: servers.flatMap(({ wire }) => wire?.faults() ?? []),
        ended: facts.journal.flatMap(event => (event.kind === 'attempt-ended' ? [event] : [])),
      }
    } finally {
      await command.kill()
    }
  } finally {
    for (const server of servers) {
      server.wire?.end()
      await server.kill()
    }
  }
}

function heardMs({ journal }: HomeFacts, renders: readonly LedgerEntry[]): number[] {
  const endedAt = new Map(renders.map(({ promptId, endedAt }) => [promptId, endedAt]))
  const prompts = new Map<string, string>()
  return journal.flatMap(event => {
    if (event.kind === 'attempt-leased') prompts.set(`${event.run} ${event.slot} ${event.attempt}`, event.promptId)
    if (event.kind !== 'slot-done') return []
    const at = endedAt.get(prompts.get(`${event.run} ${event.slot} ${event.attempt}`) ?? '')
    return at === undefined ? [] : [event.at - at]
  })
}
