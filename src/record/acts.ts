import type { FoundryEvent, RunAccepted } from './events.js'

/** Whatever has somebody who did it is an act. */
type ActEvent = Extract<FoundryEvent, { by: string }>

const acceptedFields = [
  'kind',
  'at',
  'run',
  'by',
  'key',
  'dropKind',
  'renderer',
  'slots',
  'fresh',
  'priority',
  'weight',
  'labels',
  'preview',
] as const

/** What an operator did, as its event; of an acceptance only what may be told. */
export type Act = Exclude<ActEvent, RunAccepted> | Pick<RunAccepted, (typeof acceptedFields)[number]>

/** Older acts are forgotten; those on a run stand in its folder as well. */
export const actsMax = 10_000

/** The act that an event is; undefined for what the foundry did by itself. */
export function actOf(event: FoundryEvent): Act | undefined {
  if (!('by' in event)) return undefined
  if (event.kind !== 'run-accepted') return event
  const fields = acceptedFields.flatMap(field => (event[field] === undefined ? [] : [[field, event[field]]]))
  return Object.fromEntries(fields) as Pick<RunAccepted, (typeof acceptedFields)[number]>
}

/** Adds the act that an event is to the newest ones, the oldest first. An act on a run that is not there changes nothing. */
export function noteAct(acts: Act[], event: FoundryEvent, runs: { has(run: string): boolean }): void {
  const act = actOf(event)
  if (!act || ('run' in act && runs.has(act.run) === (act.kind === 'run-accepted'))) return
  acts.push(act)
  if (acts.length > actsMax) acts.shift()
}
