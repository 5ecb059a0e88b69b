import { FoundryError } from '../errors.js'
import type { DispatchFacts } from '../plugins/contract.js'
import type { Gates } from '../plugins/run-gates.js'

/** What gates would do to pictures that are to be rendered. */
export interface GatePlan {
  /** Pictures that would fail, by the reason. */
  refused: { slots: number; reason: string }[]
  /** Pictures some of whose words would become others. */
  redacted: number
}

/** Of so many kinds of pictures one is judged; a gate may be slow. */
const judgedMax = 200

/** One picture of each group is judged for all of it; gates may think otherwise of another view or seed. */
export async function planGates<Group extends { waiting: number }>(
  gates: Gates | undefined,
  groups: readonly Group[],
  factsOf: (group: Group) => DispatchFacts | undefined,
): Promise<GatePlan> {
  const refused = new Map<string, number>()
  let redacted = 0
  for (const group of gates ? groups.slice(0, judgedMax) : []) {
    const facts = factsOf(group)
    if (!facts) continue
    try {
      if (await gates?.beforeDispatch(facts)) redacted += group.waiting
    } catch (error) {
      if (!(error instanceof FoundryError)) throw error
      refused.set(error.message, (refused.get(error.message) ?? 0) + group.waiting)
    }
  }
  return { refused: [...refused].map(([reason, slots]) => ({ slots, reason })), redacted }
}
