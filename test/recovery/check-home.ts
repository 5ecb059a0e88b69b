import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import { homePaths } from '../../src/config/home-paths.js'
import { server } from '../../src/config/server-entry.js'
import { isTemporary } from '../../src/files/durable.js'
import { sha256 } from '../../src/files/hash.js'
import { compositesOf } from '../../src/plan/composites.js'
import { indexSlots, slotAt } from '../../src/plan/slots.js'
import { requestOf } from '../../src/record/carried-record.js'
import type { FoundryEvent } from '../../src/record/events.js'
import { replayJournal } from '../../src/record/journal-replay.js'
import { compositeFile, imageFile, readRunFile, runFiles, traceFile } from '../../src/record/run-folder.js'
import { applyEvent, emptyState, type FoundryState, type RunState, stateOf } from '../../src/record/state.js'
import type { ServerEntry } from '../../src/schema/config.js'
import type { RunManifest } from '../../src/schema/run-manifest.js'
import { slotStates } from '../../src/schema/run.js'
import type { Trace } from '../../src/schema/trace.js'
import { checkActs, type ExpectedAct } from './check-acts.js'
import { checkLeases, inFlightAtDeaths } from './check-leases.js'
import type { Told } from './told-counts.js'

export interface HomeFacts {
  /** What is wrong; empty when everything holds. */
  problems: string[]
  runs: number
  slots: number
  done: number
  failed: number
  attempts: number
  renders: number
  /** Renders of a job that had been begun before. */
  repeated: number
  /** Attempts that were under way when an owner died. */
  inFlight: number
  owners: number
  /** All events, the oldest first. */
  journal: FoundryEvent[]
  traces: Map<string, Trace>
}

export interface Expectation {
  /** Begins of jobs by the ledger of the server; left out, it is not looked at. */
  renders?: readonly LedgerEntry[]
  /** Renders allowed beyond one per picture: so many, or as many as attempts were under way when owners died. */
  extraRenders?: number | 'in flight'
  /** What the test did to the home, in order: all of it must be in the audit. */
  acts?: readonly ExpectedAct[]
  /** What the daemon told of itself after everything had ended. */
  told?: Told
}

/**
 * Reads a home that nobody owns and holds it to the invariants I1 to I8 of `test/README.md`: journal, folders and the server's ledger. Says everything that
 * does not hold. Nothing that the running program remembers is asked: the state is replayed from the journal.
 */
export async function checkHome(home: string, expected: Expectation = {}): Promise<HomeFacts> {
  const paths = homePaths(home)
  const problems: string[] = []
  const events: FoundryEvent[] = []
  const replay = await replayJournal(paths.journal, {
    epoch: Infinity,
    onRecord: event => void events.push(event as FoundryEvent),
  })
  if (replay.damage) problems.push(`the journal is damaged: ${replay.damage.reason}`)
  const state = replayChecked(events, problems)
  checkLeftovers(paths.dot, problems)
  const traces = new Map<string, Trace>()
  let sums = { slots: 0, done: 0, failed: 0, attempts: 0 }
  for (const run of state.runs.values()) {
    await checkRun(join(paths.runs, run.accepted.run), run, { problems, traces })
    sums = {
      slots: sums.slots + run.slots.length,
      done: sums.done + run.counts.done,
      failed: sums.failed + run.counts.failed,
      attempts: sums.attempts + run.attempts.reduce((sum, each) => sum + each, 0),
    }
  }
  checkLeases(events, { depths: depthsOf(home), renders: expected.renders }, problems)
  checkActs(events, expected.acts ?? [], problems)
  if (expected.told) checkTold(state, expected.told, problems)
  const inFlight = inFlightAtDeaths(events)
  const { extraRenders = 0 } = expected
  const allowed = sums.slots + (extraRenders === 'in flight' ? inFlight : extraRenders)
  if (expected.renders) checkRenders(events, expected.renders, allowed, problems)
  return {
    problems,
    runs: state.runs.size,
    ...sums,
    renders: expected.renders?.length ?? 0,
    repeated: repeatsIn(expected.renders ?? []),
    inFlight,
    owners: events.filter(event => event.kind === 'owner-started').length,
    journal: events,
    traces,
  }
}

/** The state of the whole journal. On the way: attempts of a slot are numbered upwards without a gap, one at a time. */
function replayChecked(events: readonly FoundryEvent[], problems: string[]): FoundryState {
  const state = emptyState()
  let epoch = 0
  for (const event of events) {
    if (event.kind === 'owner-started') {
      if (event.epoch <= epoch) problems.push(`epoch ${event.epoch} came after ${epoch}`)
      epoch = event.epoch
    }
    const run = 'run' in event ? state.runs.get(event.run) : undefined
    if (run && event.kind === 'attempt-leased') {
      const { slot, attempt } = event
      const key = `${event.run} ${slot}, attempt ${attempt}`
      if (attempt !== (run.attempts[slot] ?? 0) + 1) problems.push(`${key} is out of order`)
      if (run.leases.has(slot)) problems.push(`${key} began while another was current`)
      if (run.done.has(slot)) problems.push(`${key} began after the slot was done`)
    }
    if (run && event.kind === 'slot-done' && run.done.has(event.slot))
      problems.push(`${event.run} ${event.slot} is done twice`)
    applyEvent(state, event)
  }
  return state
}

/** What it told of itself is what a recount gives. */
function checkTold(state: FoundryState, told: Told, problems: string[]): void {
  const recount: Record<string, number> = Object.fromEntries(slotStates.map(each => [each, 0]))
  for (const run of state.runs.values())
    run.slots.forEach((_, ordinal) => {
      const name = stateOf(run, ordinal)
      recount[name] = (recount[name] ?? 0) + 1
    })
  const say = (what: string, one: unknown, other: unknown) => {
    if (one !== other) problems.push(`${what}: the daemon told ${String(one)}, a recount gives ${String(other)}`)
  }
  for (const [name, count] of Object.entries(recount)) {
    say(`slots ${name} in the metrics`, told.metrics[name], count)
    say(`slots ${name} in the status`, told.status[name], count)
  }
  say('runs', told.runs, state.runs.size)
  say('orphans', told.orphans, state.orphans)
}

function repeatsIn(renders: readonly LedgerEntry[]): number {
  return renders.length - new Set(renders.map(({ job, promptId }) => job ?? promptId)).size
}

/** By server of `foundry.yaml`. */
function depthsOf(home: string): Map<string, number> {
  const { servers } = parse(readFileSync(join(home, 'foundry.yaml'), 'utf8')) as { servers?: ServerEntry[] }
  return new Map((servers ?? []).map(each => [each.name, each.depth ?? server({ name: '' }).depth]))
}

/** Nothing half-made stays: no staged picture, no temporary file. */
function checkLeftovers(dot: string, problems: string[]): void {
  for (const path of filesUnder(dot)) {
    if (path.startsWith('staging/')) problems.push(`left in staging: ${path}`)
    else if (isTemporary(path.split('/').at(-1) ?? '')) problems.push(`left behind: ${path}`)
  }
}

async function checkRun(
  folder: string,
  run: RunState,
  found: { problems: string[]; traces: Map<string, Trace> },
): Promise<void> {
  const name = run.accepted.run
  const say = (text: string) => void found.problems.push(`${name}: ${text}`)
  if (!run.finished) say('is not finished')
  if (run.leases.size > 0) say(`keeps ${run.leases.size} leases`)
  const counts = Object.fromEntries(slotStates.map(each => [each, 0]))
  run.slots.forEach((_, ordinal) => {
    const state = stateOf(run, ordinal)
    counts[state] = (counts[state] ?? 0) + 1
    if (!['done', 'failed', 'cancelled', 'skipped'].includes(state)) say(`slot ${ordinal} is ${state}`)
  })
  const { run: file, sha256: runFileSha256 } = await readRunFile(folder)
  const index = indexSlots(file.plan)
  const wanted = new Map<string, number>()
  for (const ordinal of run.done.keys()) wanted.set(imageFile(slotAt(index, ordinal)?.id ?? ''), ordinal)
  const composites = [...compositesOf(index)].map(({ id }) => compositeFile(id))
  const files = filesUnder(folder)
  const known = new Set<string>([
    runFiles.run,
    runFiles.manifest,
    runFiles.report,
    runFiles.events,
    runFiles.contactSheet,
  ])
  for (const path of files) {
    const image = path.replace(/\.trace\.json$/, '.png')
    if (!known.has(path) && !wanted.has(image) && !composites.includes(image)) say(`${path} belongs to nothing`)
  }
  const manifest = readJson<RunManifest>(join(folder, runFiles.manifest))
  const report = readJson<{ manifestSha256: string; counts: Record<string, number>; state: string }>(
    join(folder, runFiles.report),
  )
  if (!manifest || !report) return say('has no manifest or no report')
  if (sha256(readFileSync(join(folder, runFiles.manifest))) !== report.manifestSha256) say('report and manifest differ')
  if (manifest.runFileSha256 !== runFileSha256) say('run.json is not the one of the manifest')
  const recount = { slots: run.slots.length, ...counts, reused: run.reused }
  for (const [key, count] of Object.entries(recount)) {
    if (report.counts[key] !== count) say(`the report counts ${report.counts[key]} ${key}, there are ${count}`)
    if (manifest.counts[key as keyof typeof manifest.counts] !== count) say(`the manifest counts ${key} wrongly`)
  }
  if (manifest.images.length !== run.done.size) say(`the manifest lists ${manifest.images.length} images`)
  for (const file of composites) checkComposite(folder, file, manifest, say)
  for (const [image, ordinal] of wanted) {
    checkImage(folder, image, {
      run,
      ordinal,
      manifest,
      say,
      traces: found.traces,
      slot: slotAt(index, ordinal)?.id ?? '',
    })
  }
}

function checkComposite(folder: string, file: string, manifest: RunManifest, say: (text: string) => void): void {
  const listed = manifest.composites?.find(each => each.file === file)
  if (!listed) return say(`the manifest does not list ${file}`)
  for (const [name, hash] of [[file, listed.sha256] as const, [listed.trace, listed.traceSha256] as const])
    if (!existsSync(join(folder, name)) || sha256(readFileSync(join(folder, name))) !== hash)
      say(`${name} is not as the manifest says`)
}

function checkImage(
  folder: string,
  image: string,
  known: {
    run: RunState
    ordinal: number
    slot: string
    manifest: RunManifest
    say(text: string): void
    traces: Map<string, Trace>
  },
): void {
  const { run, ordinal, slot, manifest, say } = known
  const done = run.done.get(ordinal)
  const listed = manifest.images.find(each => each.file === image)
  if (!done || !listed || !existsSync(join(folder, image))) return say(`${image} is missing`)
  const bytes = readFileSync(join(folder, image))
  const traceBytes = existsSync(join(folder, traceFile(image)))
    ? readFileSync(join(folder, traceFile(image)))
    : undefined
  if (!traceBytes) return say(`${image} has no trace`)
  const trace = JSON.parse(traceBytes.toString('utf8')) as Trace
  known.traces.set(`${run.accepted.run}/${slot}`, trace)
  const hashes = [done.sha256, listed.sha256, trace.result.fileSha256]
  if (hashes.some(each => each !== sha256(bytes))) say(`${image}: its hash is not that of journal, manifest and trace`)
  if (done.traceSha256 !== sha256(traceBytes) || listed.traceSha256 !== done.traceSha256)
    say(`${image}: its trace is not the one of journal and manifest`)
  const record = requestOf(bytes)
  if (!trace.result.reusedFrom && (record?.slot !== slot || record.run !== run.accepted.run))
    say(`${image} is the picture of ${record?.run} ${record?.slot}`)
  if (trace.request.slot !== slot) say(`${image}: its trace is of ${trace.request.slot}`)
}

/** Nothing is rendered after it was committed, and no more than was asked for and made necessary. */
function checkRenders(
  events: readonly FoundryEvent[],
  renders: readonly LedgerEntry[],
  allowed: number,
  problems: string[],
): void {
  const jobs = new Map<string, string>()
  const doneAt = new Map<string, number>()
  for (const event of events) {
    if (event.kind === 'attempt-leased') jobs.set(`${event.run} ${event.slot}`, event.job)
    if (event.kind === 'slot-done') doneAt.set(jobs.get(`${event.run} ${event.slot}`) ?? '', event.at)
  }
  for (const { job = 'without a name', startedAt } of renders) {
    const committedAt = doneAt.get(job)
    if (committedAt !== undefined && startedAt > committedAt)
      problems.push(`job ${job} was rendered ${startedAt - committedAt} ms after it was committed`)
  }
  if (renders.length > allowed) problems.push(`${renders.length} renders, where ${allowed} were due at most`)
}

/** Paths of all files under a folder, relative and with `/`. */
export function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true }).flatMap(entry =>
    entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : [],
  )
}

function readJson<Value>(path: string): Value | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Value) : undefined
}
