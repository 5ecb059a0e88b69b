import { join } from 'node:path'
import { failure } from '../errors.js'
import { explainSlot, type Explanation, type OtherGroup, type SlotCase, type WaitCase } from '../farm/explain-slot.js'
import { indexSlots, slotAt, slotById, type SlotIndex } from '../plan/slots.js'
import { heldBack } from '../record/holds.js'
import { isMeant, isWithin, type SlotRange } from '../plan/slot-ranges.js'
import { eventsOnly } from '../record/ledger.js'
import { recordedEvents } from '../record/run-events.js'
import { readRunFile } from '../record/run-folder.js'
import { isStopping, type RunState, slotReason, stateOf } from '../record/state.js'
import type { SlotState } from '../schema/run.js'
import { audit } from './audit.js'
import { findNewestRun, runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'
import { type Caller, defineOperation } from './operation.js'

/** Why a slot is in the state it is in. */
export interface WhyAnswer extends Explanation {
  run: string
  slot: string
  ordinal: number
  state: SlotState
}

export const why = defineOperation({
  name: 'why',
  summary: 'Why a slot waits, runs, failed, or is what it is, in one sentence',
  route: { method: 'GET', path: '/runs/:id/why' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: {
      id: { ...runIdSchema, description: 'A run, or a job' },
      slot: { type: 'string', minLength: 1, maxLength: 512, description: 'Its name; the first that is not done' },
    },
  },
  async run(foundry, { id, slot: wanted }, caller): Promise<WhyAnswer> {
    const job = wanted === undefined && isJobId(id) ? await findJob(foundry, id) : undefined
    const run = job?.run ?? findNewestRun(foundry, id)
    const { run: name } = run.accepted
    const { run: file } = await readRunFile(foundry.runFolder(name))
    const index = indexSlots(file.plan)
    const ordinal = job?.ordinal ?? findSlot(run, index, wanted)
    const slot = slotAt(index, ordinal)
    if (!slot) throw failure('SLOT_UNKNOWN', { run: name, slot: wanted ?? String(ordinal) })
    const known = await findCase(foundry, run, { ordinal, id: slot.id, caller })
    return { run: name, slot: slot.id, ordinal, state: known.state, ...explainSlot(known) }
  },
})

function isJobId(id: string): boolean {
  return /^j[a-z2-7]{26}$/.test(id)
}

/** Runs whose own records are searched for a job that the journal knows no more. */
const recordsMax = 1000

/** Throws JOB_UNKNOWN. */
async function findJob(
  { ledger, runFolder }: Foundry,
  job: string,
): Promise<{ run: RunState; ordinal: number } | undefined> {
  const { runs } = ledger.state
  if (runs.has(job)) return undefined
  for (const run of runs.values())
    for (const [ordinal, lease] of run.leases) if (lease.job === job) return { run, ordinal }
  for await (const event of eventsOnly(ledger.since(ledger.journal.firstSequence - 1))) {
    const run = event.kind === 'attempt-leased' && event.job === job ? runs.get(event.run) : undefined
    if (run && event.kind === 'attempt-leased') return { run, ordinal: event.slot }
  }
  for (const run of [...runs.values()].reverse().slice(0, recordsMax)) {
    for await (const event of recordedEvents(runFolder(run.accepted.run), job))
      if (event.kind === 'attempt-leased' && event.job === job) return { run, ordinal: event.slot }
  }
  throw failure('JOB_UNKNOWN', { job })
}

/** The slot of that name, or the first that is not done. */
function findSlot(run: RunState, index: SlotIndex, wanted: string | undefined): number {
  if (wanted !== undefined) {
    const slot = slotById(index, wanted)
    if (!slot) throw failure('SLOT_UNKNOWN', { run: run.accepted.run, slot: wanted })
    return slot.ordinal
  }
  const open = run.slots.findIndex((_, ordinal) => !['done', 'skipped'].includes(stateOf(run, ordinal)))
  return Math.max(0, open)
}

interface Asked {
  ordinal: number
  caller: Caller
}

async function findCase(
  foundry: Foundry,
  run: RunState,
  { ordinal, id, caller }: Asked & { id: string },
): Promise<SlotCase> {
  const state = stateOf(run, ordinal)
  const { run: name } = run.accepted
  const reason = slotReason(run, ordinal) ?? 'no reason is known'
  const attempt = run.attempts[ordinal] ?? 0
  const { outlook, isWorking } = foundry.farm
  switch (state) {
    case 'done': {
      const { file = '', server, attempt: own = attempt } = run.done.get(ordinal) ?? {}
      return { state, file: join(foundry.runFolder(name), file), attempt: own, ...(server !== undefined && { server }) }
    }
    case 'running': {
      const server = run.leases.get(ordinal)?.server ?? 'a server'
      const job = outlook.jobOf(name, ordinal)
      return { state, server, attempt, isWorking, isStopping: isStopping(run, ordinal), ...(job && { job }) }
    }
    case 'held': {
      const isOwn = run.reasons.has(ordinal)
      const isPaused = !isOwn && run.pauses.some(({ slots }) => isWithin(slots, ordinal))
      return {
        state,
        run: name,
        reason,
        // A paused run is resumed as a whole, and what of it is paused stays so.
        ...(isPaused && { resume: `foundry runs resume ${name}${run.isPaused ? ` --slot ${id}` : ''}` }),
        isPreview: !isOwn && !isPaused && heldBack(run, ordinal) !== undefined,
      }
    }
    case 'failed': {
      const servers = (run.failures.get(ordinal) ?? []).map(({ server }) => server)
      return { state, reason, attempts: attempt, servers: [...new Set(servers)] }
    }
    case 'cancelled': {
      const act = await findAct(foundry, name, { act: 'cancelled', ordinal, caller })
      return { state, ...(act && { by: act.by, at: act.at }) }
    }
    case 'skipped':
      return { state, reason }
    case 'waiting':
      return { state, ...(await findWait(foundry, run, { ordinal, caller })) }
  }
}

async function findWait(foundry: Foundry, run: RunState, { ordinal, caller }: Asked): Promise<WaitCase> {
  const { run: name, renderer, inFlightMax } = run.accepted
  const { outlook, isWorking } = foundry.farm
  const { isWanted, isTaken, group, ahead } = outlook.slotStand(run, ordinal)
  const restMs = outlook.restMs(name, ordinal)
  const last = run.failures.get(ordinal)?.at(-1)
  const paused = run.isPaused ? await findAct(foundry, name, { act: 'paused', ordinal, caller }) : undefined
  const places = placesOf(foundry)
  const { priority, weight, isPaused } = run
  return {
    run: name,
    renderer,
    priority,
    weight,
    isPaused,
    ...(paused && { pausedBy: paused.by }),
    isWorking,
    isWanted,
    isTaken,
    ...(restMs !== undefined && last && { rest: { ms: restMs, server: last.server, message: last.message } }),
    ...(ahead !== undefined && { ahead }),
    ...(inFlightMax !== undefined && { inFlightMax }),
    places: places(name),
    ...(group && { modelSet: group.modelSet }),
    servers: outlook.stands(group ?? { renderer }),
    others: outlook.others(name, renderer).map((each): OtherGroup => ({ ...each, places: places(each.run) })),
  }
}

function placesOf({ farm }: Foundry): (run: string) => number {
  const places = new Map<string, number>()
  for (const { jobs } of farm.status()) for (const { run } of jobs) places.set(run, (places.get(run) ?? 0) + 1)
  return run => places.get(run) ?? 0
}

/** The newest act of a kind that was about a slot, or about its whole run. */
async function findAct(
  foundry: Foundry,
  run: string,
  { act, ordinal, caller }: Asked & { act: string },
): Promise<{ by: string; at: string } | undefined> {
  const { acts } = await audit.run(foundry, { run, limit: actsMax, offset: 0 }, caller)
  // Ranges stand in the events of acts on a part of a run.
  return acts.find(each => each.act === act && isMeant(each.details['slots'] as SlotRange[] | undefined, ordinal))
}

const actsMax = 1000
