import type { ModelUse } from '../schema/trace.js'
import { type runStates, slotStates, type SlotState } from '../schema/run.js'
import type { FoundryEvent, RunAccepted, SlotDone } from './events.js'

/** The state of a home: nothing but the replay of its journal. Only `applyEvent` changes it. */
export interface FoundryState {
  epoch: number
  runs: Map<string, RunState>
  /** Committed pictures by renderHash: what need not be rendered again. */
  renders: Map<string, { run: string; slot: number }>
  /** Drops by path. */
  drops: Map<string, DropState>
  orphans: number
}

export interface RunState {
  accepted: Omit<RunAccepted, 'kind' | 'skipped'>
  /** Index into `slotStates`, by ordinal. */
  slots: Uint8Array
  counts: Record<SlotState, number>
  /** Highest attempt number by ordinal. */
  attempts: Uint16Array
  leases: Map<number, Lease>
  /** Committed pictures by ordinal. */
  done: Map<number, DoneSlot>
  reused: number
  /** Why slots are failed, held or skipped, by ordinal. */
  reasons: Map<number, string>
  /** Attempts that gave no picture, by ordinal. */
  failures: Map<number, AttemptOutcome[]>
  /** How many of these an operator has forgiven by asking again, by ordinal. */
  forgiven: Map<number, number>
  models: ModelUse[] | undefined
  isCancelled: boolean
  finished: { at: number; state: 'done' | 'failed' | 'cancelled'; reportSha256?: string } | undefined
  startedAt: number | undefined
}

export interface Lease {
  job: string
  attempt: number
  server: string
  promptId: string
  at: number
  submittedSha256: string | undefined
}

export interface DoneSlot {
  file: string
  sha256: string
  traceSha256: string
  renderHash: string
  sizeBytes: number
  /** 0 when it was taken over from an earlier run; absent in the snapshots of earlier versions. */
  attempt?: number
  server?: string
}

export interface AttemptOutcome {
  number: number
  server: string
  outcome: string
  message: string
}

export interface DropState {
  path: string
  root: string
  /** Of the drop and of every file that it names. */
  sha256: string
  at: number
  /** Absent when it was refused. The run may have been removed since: its drop is not rendered again for that. */
  run: string | undefined
  renderer: string | undefined
  problems: number
  code: string | undefined
}

/** Which state may follow which: rule, documentation and test in one table. */
export const nextStates: Record<SlotState, readonly SlotState[]> = {
  waiting: ['running', 'done', 'held', 'failed', 'cancelled'],
  running: ['done', 'waiting', 'held', 'failed', 'cancelled'],
  held: ['waiting', 'cancelled', 'done'],
  done: ['waiting'],
  failed: ['waiting', 'done'],
  cancelled: ['waiting', 'done'],
  skipped: [],
}

export function emptyState(): FoundryState {
  return { epoch: 0, runs: new Map(), renders: new Map(), drops: new Map(), orphans: 0 }
}

/** Changes `state` as the event says. An event of an unknown run, or a transition that the table forbids, changes nothing. */
export function applyEvent(state: FoundryState, event: FoundryEvent): void {
  switch (event.kind) {
    case 'owner-started':
      state.epoch = event.epoch
      return
    case 'run-accepted':
      if (!state.runs.has(event.run)) state.runs.set(event.run, newRun(event))
      return
    case 'drop-accepted':
    case 'drop-refused':
      state.drops.set(event.drop, toDropState(event))
      return
    case 'drop-gone':
      state.drops.delete(event.drop)
      return
    case 'run-removed':
      forgetRun(state, event.run)
      return
    case 'orphan-kept':
      state.orphans++
      return
  }
  const run = state.runs.get(event.run)
  if (!run) return
  if (event.kind === 'slot-done') {
    if (!moveSlot(run, event.slot, 'done')) return
    state.renders.set(event.renderHash, { run: event.run, slot: event.slot })
  }
  if (event.kind === 'slot-lost') forgetRender(state, event.run, event.slot)
  applyToRun(run, event)
}

type RunEvent = Exclude<
  FoundryEvent,
  {
    kind:
      'owner-started' | 'run-accepted' | 'drop-accepted' | 'drop-refused' | 'drop-gone' | 'run-removed' | 'orphan-kept'
  }
>

function applyToRun(run: RunState, event: RunEvent): void {
  switch (event.kind) {
    case 'run-planned':
      run.models = event.models
      return
    case 'attempt-leased':
      run.startedAt ??= event.at
      run.attempts[event.slot] = event.attempt
      if (moveSlot(run, event.slot, 'running')) run.leases.set(event.slot, { ...event, submittedSha256: undefined })
      return
    case 'attempt-submitted': {
      const lease = run.leases.get(event.slot)
      if (lease?.attempt === event.attempt) lease.submittedSha256 = event.submittedSha256
      return
    }
    case 'attempt-ended': {
      const outcomes = run.failures.get(event.slot) ?? []
      outcomes.push({ number: event.attempt, server: event.server, outcome: event.outcome, message: event.message })
      run.failures.set(event.slot, outcomes)
      if (run.leases.get(event.slot)?.attempt === event.attempt) {
        run.leases.delete(event.slot)
        if (stateOf(run, event.slot) === 'running') moveSlot(run, event.slot, run.isCancelled ? 'cancelled' : 'waiting')
      }
      return
    }
    case 'slot-done':
      run.done.set(event.slot, pickDone(event, run.leases.get(event.slot)?.server))
      run.leases.delete(event.slot)
      run.reasons.delete(event.slot)
      if (event.attempt === 0) run.reused++
      return
    case 'slot-lost':
      loseSlot(run, event)
      return
    case 'slot-failed':
    case 'slot-held':
      if (!moveSlot(run, event.slot, event.kind === 'slot-failed' ? 'failed' : 'held')) return
      run.leases.delete(event.slot)
      run.reasons.set(event.slot, event.reason)
      return
    case 'run-cancelled':
      run.isCancelled = true
      moveAll(run, ['waiting', 'held'], 'cancelled')
      return
    case 'run-retried':
      run.isCancelled = false
      run.finished = undefined
      for (const [ordinal, outcomes] of run.failures) run.forgiven.set(ordinal, outcomes.length)
      moveAll(run, ['failed', 'cancelled', 'held'], 'waiting')
      return
    case 'run-finished':
      // Somebody may have asked for more while its last files were being written.
      if (isSettled(run)) run.finished = pickFinished(event)
      return
  }
}

export function stateOf(run: RunState, ordinal: number): SlotState {
  return slotStates[run.slots[ordinal] ?? 0] ?? 'waiting'
}

/** Nothing waits, runs or is held. */
export function isSettled(run: RunState): boolean {
  return run.counts.waiting + run.counts.running + run.counts.held === 0
}

/** What a run is called on screens: the worst thing that is true of it. */
export function runStateOf(run: RunState): (typeof runStates)[number] {
  if (run.finished) return run.finished.state
  if (run.isCancelled && !isSettled(run)) return 'cancelling'
  // Nothing is left to render, but its last files are still being written.
  if (isSettled(run) && run.isCancelled) return 'cancelled'
  return run.counts.running > 0 || run.counts.done > 0 ? 'running' : 'waiting'
}

export function settledState(run: RunState): 'done' | 'failed' | 'cancelled' {
  if (run.counts.failed > 0) return 'failed'
  return run.counts.cancelled > 0 ? 'cancelled' : 'done'
}

function newRun(event: RunAccepted): RunState {
  const { kind: _, skipped, ...accepted } = event
  const counts = {
    waiting: event.slots,
    running: 0,
    held: 0,
    done: 0,
    failed: 0,
    cancelled: 0,
    skipped: skipped.length,
  }
  counts.waiting -= skipped.length
  const slots = new Uint8Array(event.slots)
  for (const [ordinal] of skipped) slots[ordinal] = slotStates.indexOf('skipped')
  return {
    accepted,
    slots,
    counts,
    attempts: new Uint16Array(event.slots),
    leases: new Map(),
    done: new Map(),
    reused: 0,
    reasons: new Map(skipped),
    failures: new Map(),
    forgiven: new Map(),
    models: undefined,
    isCancelled: false,
    finished: undefined,
    startedAt: undefined,
  }
}

function moveSlot(run: RunState, ordinal: number, to: SlotState): boolean {
  const from = stateOf(run, ordinal)
  if (ordinal >= run.slots.length || !nextStates[from].includes(to)) return false
  run.slots[ordinal] = slotStates.indexOf(to)
  run.counts[from]--
  run.counts[to]++
  return true
}

function moveAll(run: RunState, from: readonly SlotState[], to: SlotState): void {
  run.slots.forEach((_, ordinal) => {
    if (from.includes(stateOf(run, ordinal))) {
      moveSlot(run, ordinal, to)
      run.reasons.delete(ordinal)
    }
  })
}

function pickFinished({ at, state, reportSha256 }: Extract<FoundryEvent, { kind: 'run-finished' }>) {
  return { at, state, ...(reportSha256 !== undefined && { reportSha256 }) }
}

function pickDone(event: SlotDone, server: string | undefined): DoneSlot {
  const { file, sha256, traceSha256, renderHash, sizeBytes, attempt } = event
  return { file, sha256, traceSha256, renderHash, sizeBytes, attempt, ...(server !== undefined && { server }) }
}

/** The attempt that gave the lost picture is told as one without a picture, and is not held against the job. */
function loseSlot(run: RunState, { slot, reason }: Extract<FoundryEvent, { kind: 'slot-lost' }>): void {
  const done = run.done.get(slot)
  if (!done || !moveSlot(run, slot, 'waiting')) return
  run.finished = undefined
  run.done.delete(slot)
  const { attempt = run.attempts[slot] ?? 0, server = 'unknown' } = done
  if (attempt === 0) {
    run.reused--
    return
  }
  const outcomes = run.failures.get(slot) ?? []
  outcomes.push({ number: attempt, server, outcome: 'picture-lost', message: reason })
  run.failures.set(slot, outcomes)
  run.forgiven.set(slot, outcomes.length)
}

function toDropState(event: Extract<FoundryEvent, { kind: 'drop-accepted' | 'drop-refused' }>): DropState {
  const { drop, root, sha256, at } = event
  return event.kind === 'drop-accepted'
    ? { path: drop, root, sha256, at, run: event.run, renderer: event.renderer, problems: 0, code: undefined }
    : { path: drop, root, sha256, at, run: undefined, renderer: undefined, problems: event.problems, code: event.code }
}

function forgetRun(state: FoundryState, id: string): void {
  const run = state.runs.get(id)
  if (!run) return
  for (const { renderHash } of run.done.values()) {
    if (state.renders.get(renderHash)?.run === id) state.renders.delete(renderHash)
  }
  state.runs.delete(id)
}

function forgetRender(state: FoundryState, id: string, slot: number): void {
  const renderHash = state.runs.get(id)?.done.get(slot)?.renderHash ?? ''
  const known = state.renders.get(renderHash)
  if (known?.run === id && known.slot === slot) state.renders.delete(renderHash)
}
