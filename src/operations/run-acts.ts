import { join } from 'node:path'
import { failure } from '../errors.js'
import { takeTurns } from '../files/take-turns.js'
import { indexSlots } from '../plan/slots.js'
import { isMeant, type SlotRange, withoutRanges } from '../plan/slot-ranges.js'
import type { FoundryEvent, RunAct } from '../record/events.js'
import { pausedRanges } from '../record/holds.js'
import { findLostComposites } from '../record/lost-composites.js'
import { findLostSlots, type LostSlot, setAside } from '../record/lost-slots.js'
import { readRunFile } from '../record/run-folder.js'
import { eachSlot, isSettled, type RunState, runStateOf, stateOf } from '../record/state.js'
import type { SlotState } from '../schema/run.js'
import { findRun, runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { findPart, type RunPart, runPartSchema } from './run-part.js'
import { type RunSummary, summarise } from './run-summary.js'

/** A run after an act, and which of its slots the act was about. */
export interface ActAnswer extends RunSummary {
  /** The persona or the slot, where not the whole run was meant. */
  part?: string
  /** Slots that the act was about. */
  slots: number
}

const unsettled: readonly SlotState[] = ['waiting', 'running', 'held']

export const cancelRun = defineOperation({
  name: 'runs.cancel',
  summary:
    'Stops a run, a persona or a slot of it: what waits is cancelled, what runs is interrupted, what is done stays',
  route: { method: 'POST', path: '/runs/:id/cancel' },
  input: runPartSchema,
  async run(foundry, input, { by }): Promise<ActAnswer> {
    const run = findRun(foundry, input.id, each => !isSettled(each))
    const { run: name } = run.accepted
    const part = await findPart(foundry, run, input)
    if (!part && run.finished?.state === 'cancelled') return answerOf(foundry, run, part, 0)
    if (isSettled(run)) throw unfit(run, 'cancelled')
    const slots = countIn(run, part?.slots, unsettled)
    if (part && slots === 0) throw partUnfit(run, part, 'cancelled')
    await foundry.ledger.append(actOf('run-cancelled', run, part, by))
    if (!part && run.leases.size > 0) {
      // What an earlier process left on servers is stopped there, too.
      foundry.desk.alsoWorkOn(name)
      await foundry.farm.start()
    }
    const isAtWork = foundry.farm.status().some(server => server.jobs.some(job => job.run === name))
    await foundry.farm.cancel(job => job.run === name && isMeant(part?.slots, job.slot.ordinal))
    await foundry.desk.review(name)
    if (!part) await waitUntil(foundry, () => run.finished !== undefined || !run.isCancelled)
    // What an earlier process left of some slots is stopped when the run is worked on again.
    else if (isAtWork) await waitUntil(foundry, () => [...run.leases.values()].every(lease => !lease.isCancelled))
    return answerOf(foundry, run, part, slots)
  },
})

/** How long whoever cancels waits to hear that it has ended. */
const cancelledMsMax = 8000

/** Waits for the end, or for the limit: a server may be in the middle of what nothing interrupts. */
async function waitUntil({ ledger }: Foundry, isOver: () => boolean): Promise<void> {
  const limit = AbortSignal.timeout(cancelledMsMax)
  await new Promise<void>(resolve => {
    const end = () => {
      stop()
      limit.removeEventListener('abort', end)
      resolve()
    }
    const stop = ledger.listen(() => isOver() && end())
    limit.addEventListener('abort', end)
    if (isOver()) end()
  })
}

/** What one has found and moved aside, the next does not look for. */
const retryTurn = takeTurns<string>()

export const retryRun = defineOperation({
  name: 'runs.retry',
  summary:
    'Tries again what of a run, a persona or a slot failed, was cancelled, is held, or was done and has gone, composites as well',
  route: { method: 'POST', path: '/runs/:id/retry' },
  input: runPartSchema,
  async run(foundry, input, { by }): Promise<ActAnswer> {
    const run = findRun(foundry, input.id)
    const { run: name } = run.accepted
    const part = await findPart(foundry, run, input)
    const slots = await retryTurn(name, async () => {
      const allLost = run.finished ? await findLostSlots(foundry.runFolder(name), run) : []
      const lost = allLost.filter(({ ordinal }) => isMeant(part?.slots, ordinal))
      const again = countIn(run, part?.slots, ['failed', 'cancelled']) + countHeld(run, part) + lost.length
      const stopping = [...run.leases].filter(([at, lease]) => isMeant(part?.slots, at) && lease.isCancelled)
      const isStopping = run.isCancelled && !isSettled(run)
      const isSlotMeant = again + stopping.length > 0 || isStopping
      // Whatever ends anew makes its composites anew.
      if (!isSlotMeant && (part || !(await lacksComposites(foundry, run))))
        throw part ? partUnfit(run, part, 'tried again') : unfit(run, describeRetry(run))
      const losses = await setLossesAside(foundry, run, lost)
      await foundry.ledger.append(actOf('run-retried', run, part, by), ...losses)
      return again + stopping.length
    })
    return goOn(foundry, run, part, slots)
  },
})

async function lacksComposites({ runFolder }: Foundry, { accepted, finished }: RunState): Promise<boolean> {
  if (!finished) return false
  const folder = runFolder(accepted.run)
  // Without its plan a run makes nothing.
  const read = await readRunFile(folder).catch(() => undefined)
  return read !== undefined && (await findLostComposites(folder, indexSlots(read.run.plan))).length > 0
}

/** Held for a reason of their own: what an operator holds back is not tried again, it is resumed or approved. */
function countHeld(run: RunState, part: RunPart | undefined): number {
  const own = [...run.reasons.keys()].filter(ordinal => isMeant(part?.slots, ordinal))
  return own.filter(ordinal => stateOf(run, ordinal) === 'held').length
}

function describeRetry(run: RunState): string {
  const { run: name } = run.accepted
  if (run.preview) return `tried again before "foundry runs approve ${name}"`
  return run.pauses.length > 0
    ? `tried again before "foundry runs resume ${name}"`
    : 'tried again, for nothing of it has failed or was cancelled'
}

/**
 * What is left of a lost picture is moved aside and kept. Once the returned events are journaled the slots wait again; a crash
 * before that leaves pictures that are missing, and are found so the next time.
 */
async function setLossesAside(
  { config, runFolder }: Foundry,
  { accepted: { run }, attempts }: RunState,
  lost: readonly LostSlot[],
): Promise<FoundryEvent[]> {
  const events: FoundryEvent[] = []
  for (const { ordinal: slot, reason, rest } of lost) {
    const at = Date.now()
    if (rest !== undefined) {
      const image = join(runFolder(run), rest)
      const file = await setAside(image, config.paths.orphans, `${run}-${slot}`)
      events.push({ kind: 'orphan-kept', at, run, slot, attempt: attempts[slot] ?? 0, file })
    }
    events.push({ kind: 'slot-lost', at, run, slot, reason })
  }
  return events
}

export const pauseRun = defineOperation({
  name: 'runs.pause',
  summary: 'Begins nothing new of a run, a persona or a slot until it is resumed; what runs goes on',
  route: { method: 'POST', path: '/runs/:id/pause' },
  input: runPartSchema,
  async run(foundry, input, { by }): Promise<ActAnswer> {
    const run = findRun(foundry, input.id, each => !isSettled(each))
    const part = await findPart(foundry, run, input)
    if (isSettled(run) || run.isCancelled) throw unfit(run, 'paused')
    if (!part && run.isPaused) return answerOf(foundry, run, part, 0)
    const slots = countIn(run, part && withoutRanges(part.slots, pausedRanges(run)), unsettled)
    if (part && slots === 0) throw partUnfit(run, part, 'paused')
    await foundry.ledger.append(actOf('run-paused', run, part, by))
    foundry.farm.wake()
    return answerOf(foundry, run, part, slots)
  },
})

export const resumeRun = defineOperation({
  name: 'runs.resume',
  summary: 'Goes on with a run, a persona or a slot that was paused',
  route: { method: 'POST', path: '/runs/:id/resume' },
  input: runPartSchema,
  async run(foundry, input, { by }): Promise<ActAnswer> {
    const run = findRun(foundry, input.id, each => !isSettled(each))
    const part = await findPart(foundry, run, input)
    const paused = pausedRanges(run)
    if (!part && !run.isPaused && paused.length === 0) throw unfit(run, 'resumed')
    // Whoever resumes a run that is not paused as a whole means what of it is.
    const ranges = part?.slots ?? (run.isPaused ? undefined : paused)
    const slots = countIn(run, ranges && withoutRanges(paused, withoutRanges(paused, ranges)), unsettled)
    if (part && slots === 0) throw partUnfit(run, part, 'resumed')
    await foundry.ledger.append({ ...actOf('run-resumed', run, part, by), ...(ranges && { slots: ranges }) })
    return goOn(foundry, run, part, slots)
  },
})

export const approveRun = defineOperation({
  name: 'runs.approve',
  summary: 'Renders the rest of a run of which a preview was asked for first',
  route: { method: 'POST', path: '/runs/:id/approve' },
  input: { type: 'object', additionalProperties: false, required: ['id'], properties: { id: runIdSchema } },
  async run(foundry, input, { by }): Promise<ActAnswer> {
    const run = findRun(foundry, input.id, each => !isSettled(each))
    if (!run.preview || isSettled(run) || run.isCancelled) throw unfit(run, 'approved')
    const slots = countIn(run, undefined, ['held']) - countHeld(run, undefined)
    await foundry.ledger.append({ kind: 'run-approved', at: Date.now(), run: run.accepted.run, by })
    return goOn(foundry, run, undefined, slots)
  },
})

async function goOn(foundry: Foundry, run: RunState, part: RunPart | undefined, slots: number): Promise<ActAnswer> {
  await foundry.desk.review(run.accepted.run)
  foundry.farm.wake()
  return answerOf(foundry, run, part, slots)
}

function actOf(kind: RunAct['kind'], { accepted: { run } }: RunState, part: RunPart | undefined, by: string): RunAct {
  return { kind, at: Date.now(), run, ...part, by }
}

function answerOf(foundry: Foundry, run: RunState, part: RunPart | undefined, slots: number): ActAnswer {
  return { ...summarise(foundry, run), ...(part && { part: part.part }), slots }
}

/** How many of these slots are in one of the states. */
function countIn(run: RunState, ranges: readonly SlotRange[] | undefined, states: readonly SlotState[]): number {
  if (!ranges) return states.reduce((sum, state) => sum + run.counts[state], 0)
  let count = 0
  eachSlot(run, ranges, states, () => count++)
  return count
}

function unfit(run: RunState, operation: string) {
  const state = isSettled(run) && !run.finished ? 'ending' : runStateOf(run)
  return failure('RUN_STATE_UNFIT', { run: run.accepted.run, state, operation })
}

function partUnfit({ accepted: { run } }: RunState, { part }: RunPart, operation: string) {
  return failure('SLOTS_UNFIT', { run, part, operation })
}
