import type { LedgerEntry } from '../../../plugins/provider-comfyui/draft-server/ledger.js'
import type { Scenario } from './scenarios.js'

/** What the servers did, by their own ledgers. */
export interface Account {
  /** Pictures rendered to the end. */
  renders: number
  /** Renders of a picture that a server which still lives had rendered already. */
  again: number
  /** Loads of LoRAs. */
  switches: number
  /** How long the same work takes when every server works all the time and each set of LoRAs is loaded once. */
  idealMs: number
}

/** Pure: the account of a race from its ledgers, one per server. What lay on a server that died may be rendered again. */
export function accountFor(
  ledgers: readonly (readonly LedgerEntry[])[],
  { slowness, loras, loraLoadMs }: Pick<Scenario, 'slowness' | 'loras' | 'loraLoadMs'>,
  isAlive: (server: number) => boolean = () => true,
): Account {
  const rendered = new Set<string>()
  let [renders, again, switches, workMs] = [0, 0, 0, 0]
  for (const [server, entries] of ledgers.entries()) {
    for (const entry of entries) {
      const { outcome, serviceMs = 0, loadMs = 0 } = entry
      if (loadMs > 0) switches++
      if (outcome !== 'success') continue
      renders++
      workMs += (serviceMs - loadMs) / (slowness[server] ?? 1)
      if (!isAlive(server)) continue
      const picture = pictureOf(entry)
      if (rendered.has(picture)) again++
      rendered.add(picture)
    }
  }
  const speed = slowness.reduce((sum, each) => sum + 1 / each, 0)
  return { renders, again, switches, idealMs: (workMs + loras * loraLoadMs) / speed }
}

/** The foundry says which slot a job is for; others save every picture under a name of its own. */
function pictureOf({ slot, prefix, promptId }: LedgerEntry): string {
  return slot ?? prefix ?? promptId
}
