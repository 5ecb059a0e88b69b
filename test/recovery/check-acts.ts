import type { FoundryEvent } from '../../src/record/events.js'

/** An act of an operator: the kind of its event, and what it is done to. */
export interface ExpectedAct {
  kind: FoundryEvent['kind']
  run?: string
  server?: string
}

/** What only people do, or programs for them. */
const operatorKinds = new Set<FoundryEvent['kind']>([
  'run-accepted',
  'run-changed',
  'run-paused',
  'run-resumed',
  'run-cancelled',
  'run-retried',
  'run-approved',
  'run-removed',
  'server-added',
  'server-removed',
  'server-mode',
  'server-forgiven',
])

/** I8: every act names who did it, which is what puts it in the audit; and what was done is there, in its order. */
export function checkActs(events: readonly FoundryEvent[], done: readonly ExpectedAct[], problems: string[]): void {
  const acts = events.filter(event => operatorKinds.has(event.kind))
  for (const event of acts)
    if (!('by' in event) || event.by === '') problems.push(`${event.kind} does not say who did it`)
  let from = 0
  for (const wanted of done) {
    const at = acts.findIndex((event, at) => at >= from && isIt(event, wanted))
    if (at === -1) problems.push(`${wanted.kind} of ${wanted.run ?? wanted.server ?? 'the home'} is not in the audit`)
    else from = at + 1
  }
}

function isIt(event: FoundryEvent, { kind, run, server }: ExpectedAct): boolean {
  if (event.kind !== kind) return false
  if (run !== undefined && !('run' in event && event.run === run)) return false
  return server === undefined || ('server' in event && event.server === server)
}
