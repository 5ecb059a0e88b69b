import { isMeant, type SlotRange } from '../plan/slot-ranges.js'
import type { ModelUse, Price } from '../schema/trace.js'
import { type Band, type runStates, slotStates, type SlotState } from '../schema/run.js'
import { type Act, noteAct } from './acts.js'
import type { AttemptSubmitted, FoundryEvent, RunAccepted, RunAct, ServerAct, SlotDone } from './events.js'
import { applyToServers, type KnownServer } from './known-servers.js'
import { heldBack, type Holds, withoutPause, withPause } from './holds.js'

/** The state of a home: nothing but the replay of its journal. Only `applyEvent` changes it. */
export interface FoundryState {
  epoch: number
  runs: Map<string, RunState>
  /** Committed pictures by renderHash: what need not be rendered again. */
  renders: Map<string, { run: string; slot: number }>
  /** Drops by path. */
  drops: Map<string, DropState>
  /** What operators did to servers, by name. */
  servers: Map<string, KnownServer>
  orphans: number
  /** What operators did, the newest last. */
  acts: Act[]
}

export interface RunState extends Holds {
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
  /** Why slots are failed, held or skipped, by ordinal; see `slotReason` for those that an operator holds back. */
  reasons: Map<number, string>
  /** Attempts that gave no picture, by ordinal. */
  failures: Map<number, AttemptOutcome[]>
  /** How many of these an operator has forgiven by asking again, by ordinal. */
  forgiven: Map<number, number>
  models: ModelUse[] | undefined
  /** Which runs are served first, and this one's share among those of its priority. */
  priority: Band
  weight: number
  /** What its servers must be labelled with. */
  labels: readonly string[]
  isCancelled: boolean
  /** Nothing new is begun; what runs goes on. */
  isPaused: boolean
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
  /** What the service calls it, where it gives ids of its own. */
  remote?: string
  price?: Price
  /** An operator has stopped the slot while it was running. */
  isCancelled?: boolean
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
  /** What was paid for it. */
  price?: Price
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
  return { epoch: 0, runs: new Map(), renders: new Map(), drops: new Map(), servers: new Map(), orphans: 0, acts: [] }
}

/** Changes `state` as the event says. An event of an unknown run, or a transition that the table forbids, changes nothing. */
export function applyEvent(state: FoundryState, event: FoundryEvent): void {
  noteAct(state.acts, event, state.runs)
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
    case 'server-added':
    case 'server-removed':
    case 'server-mode':
    case 'server-forgiven':
      applyToServers(state.servers, event)
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
  | ServerAct
  | {
      kind:
        | 'owner-started'
        | 'run-accepted'
        | 'drop-accepted'
        | 'drop-refused'
        | 'drop-gone'
        | 'run-removed'
        | 'orphan-kept'
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
      if (lease?.attempt === event.attempt) noteReceipt(lease, event)
      return
    }
    case 'attempt-ended': {
      const outcomes = run.failures.get(event.slot) ?? []
      outcomes.push({ number: event.attempt, server: event.server, outcome: event.outcome, message: event.message })
      run.failures.set(event.slot, outcomes)
      if (run.leases.get(event.slot)?.attempt === event.attempt) {
        const isStopped = isStopping(run, event.slot)
        run.leases.delete(event.slot)
        if (stateOf(run, event.slot) !== 'running') return
        if (isStopped) moveSlot(run, event.slot, 'cancelled')
        else letWait(run, event.slot)
      }
      return
    }
    case 'slot-done':
      run.done.set(event.slot, pickDone(event, event.server ?? run.leases.get(event.slot)?.server))
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
    case 'run-changed':
      run.priority = event.priority ?? run.priority
      run.weight = event.weight ?? run.weight
      run.labels = event.labels ?? run.labels
      return
    case 'run-paused':
    case 'run-resumed':
    case 'run-cancelled':
    case 'run-retried':
      applyAct(run, event)
      return
    case 'run-approved':
      run.preview = undefined
      letGo(run, undefined)
      return
    case 'run-finished':
      // Somebody may have asked for more while its last files were being written.
      if (isSettled(run)) run.finished = pickFinished(event)
      return
  }
}

function applyAct(run: RunState, { kind, slots, by }: RunAct): void {
  switch (kind) {
    case 'run-paused':
      if (slots) run.pauses = withPause(run.pauses, slots, by)
      else run.isPaused = true
      eachSlot(run, slots, ['waiting'], ordinal => holdSlot(run, ordinal))
      return
    case 'run-resumed':
      if (slots) run.pauses = withoutPause(run.pauses, slots)
      else run.isPaused = false
      letGo(run, slots)
      return
    case 'run-cancelled':
      if (!slots) Object.assign(run, { isCancelled: true, isPaused: false, pauses: [] })
      for (const [ordinal, lease] of run.leases) if (isMeant(slots, ordinal)) lease.isCancelled = true
      eachSlot(run, slots, ['waiting', 'held'], ordinal => {
        moveSlot(run, ordinal, 'cancelled')
        run.reasons.delete(ordinal)
      })
      return
    case 'run-retried':
      run.isCancelled = false
      run.finished = undefined
      for (const [ordinal, lease] of run.leases) if (isMeant(slots, ordinal)) delete lease.isCancelled
      for (const [ordinal, outcomes] of run.failures)
        if (isMeant(slots, ordinal)) run.forgiven.set(ordinal, outcomes.length)
      eachSlot(run, slots, ['failed', 'cancelled', 'held'], ordinal => {
        run.reasons.delete(ordinal)
        letWait(run, ordinal)
      })
      return
  }
}

/** Whether an operator has stopped the slot, or its whole run, and its attempt has not ended yet. */
export function isStopping(run: RunState, ordinal: number): boolean {
  return run.isCancelled || run.leases.get(ordinal)?.isCancelled === true
}

/** Why a slot is failed, held or skipped. */
export function slotReason(run: RunState, ordinal: number): string | undefined {
  return run.reasons.get(ordinal) ?? (stateOf(run, ordinal) === 'held' ? heldBack(run, ordinal) : undefined)
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
  if (run.isPaused && !isSettled(run)) return 'paused'
  // A human must decide.
  if (run.counts.held > 0 && run.counts.waiting + run.counts.running === 0) return 'held'
  return run.counts.running > 0 || run.counts.done > 0 ? 'running' : 'waiting'
}

export function settledState(run: RunState): 'done' | 'failed' | 'cancelled' {
  if (run.counts.failed > 0) return 'failed'
  return run.counts.cancelled > 0 ? 'cancelled' : 'done'
}

function newRun(event: RunAccepted): RunState {
  const { kind: _, skipped, ...accepted } = event
  const waiting = event.slots - skipped.length
  const counts = { waiting, running: 0, held: 0, done: 0, failed: 0, cancelled: 0, skipped: skipped.length }
  const slots = new Uint8Array(event.slots)
  for (const [ordinal] of skipped) slots[ordinal] = slotStates.indexOf('skipped')
  const run: RunState = {
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
    ...usualCourse,
    ...(accepted.priority !== undefined && { priority: accepted.priority }),
    ...(accepted.weight !== undefined && { weight: accepted.weight }),
    ...(accepted.labels && { labels: accepted.labels }),
    isCancelled: false,
    finished: undefined,
    startedAt: undefined,
  }
  if (accepted.preview !== undefined) holdAfterPreview(run, accepted.preview)
  return run
}

/** How a run goes when nobody asks for anything else; also what earlier versions never wrote. */
export const usualCourse: Pick<RunState, 'priority' | 'weight' | 'labels' | 'isPaused' | 'pauses' | 'preview'> = {
  priority: 'default',
  weight: 1,
  labels: [],
  isPaused: false,
  pauses: [],
  preview: undefined,
}

/** A preview that shows everything holds nothing back. */
function holdAfterPreview(run: RunState, every: number): void {
  const from = run.slots.indexOf(slotStates.indexOf('waiting'))
  run.preview = { every, from: Math.max(0, from) }
  eachSlot(run, undefined, ['waiting'], ordinal => holdSlot(run, ordinal))
  if (run.counts.held === 0) run.preview = undefined
}

function moveSlot(run: RunState, ordinal: number, to: SlotState): boolean {
  const from = stateOf(run, ordinal)
  if (ordinal >= run.slots.length || !nextStates[from].includes(to)) return false
  run.slots[ordinal] = slotStates.indexOf(to)
  run.counts[from]--
  run.counts[to]++
  return true
}

/** The slots that are meant and in one of these states. */
export function eachSlot(
  run: RunState,
  ranges: readonly SlotRange[] | undefined,
  states: readonly SlotState[],
  work: (ordinal: number) => void,
): void {
  for (const [first, last] of ranges ?? [[0, run.slots.length - 1]])
    for (let ordinal = first; ordinal <= Math.min(last, run.slots.length - 1); ordinal++)
      if (states.includes(stateOf(run, ordinal))) work(ordinal)
}

/** Back to those that wait, unless an operator holds it back. */
function letWait(run: RunState, ordinal: number): boolean {
  if (!moveSlot(run, ordinal, 'waiting')) return false
  holdSlot(run, ordinal)
  return true
}

/** Held where an operator holds it back. */
function holdSlot(run: RunState, ordinal: number): void {
  if (heldBack(run, ordinal) !== undefined) moveSlot(run, ordinal, 'held')
}

/** What nothing holds back any more waits again; what is held for a reason of its own stays. */
function letGo(run: RunState, ranges: readonly SlotRange[] | undefined): void {
  eachSlot(run, ranges, ['held'], ordinal => !run.reasons.has(ordinal) && letWait(run, ordinal))
}

function pickFinished({ at, state, reportSha256 }: Extract<FoundryEvent, { kind: 'run-finished' }>) {
  return { at, state, ...(reportSha256 !== undefined && { reportSha256 }) }
}

function noteReceipt(lease: Lease, { submittedSha256, remote, price }: AttemptSubmitted): void {
  Object.assign(lease, { submittedSha256, ...(remote !== undefined && { remote }), ...(price && { price }) })
}

function pickDone(event: SlotDone, server: string | undefined): DoneSlot {
  const { kind: _kind, at: _at, run: _run, slot: _slot, server: _told, ...done } = event
  return { ...done, ...(server !== undefined && { server }) }
}

/** The attempt that gave the lost picture is told as one without a picture, and is not held against the job. */
function loseSlot(run: RunState, { slot, reason }: Extract<FoundryEvent, { kind: 'slot-lost' }>): void {
  const done = run.done.get(slot)
  if (!done || !letWait(run, slot)) return
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
