import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../errors.js'
import { readBounded } from '../files/read-bounded.js'
import { indexSlots, setParameters, slotAt, sweptSliders } from '../plan/slots.js'
import { thumbnailSource } from '../record/finish-run.js'
import { eventsOnly } from '../record/ledger.js'
import { writeManifest } from '../record/manifest.js'
import { runEventLines } from '../record/run-events.js'
import { readRunFile, runFiles } from '../record/run-folder.js'
import { isSettled, type RunState, runStateOf, slotReason, stateOf } from '../record/state.js'
import type { RunManifest } from '../schema/run-manifest.js'
import { runStates, slotStates } from '../schema/run.js'
import { findNewestRun, findRun, runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { summarise } from './run-summary.js'

const id = runIdSchema
const oneRun = { type: 'object', additionalProperties: false, required: ['id'], properties: { id } } as const
const limit = { type: 'integer', minimum: 1, maximum: 10_000, default: 200 } as const
const offset = { type: 'integer', minimum: 0, default: 0 } as const

export const listRuns = defineOperation({
  name: 'runs.list',
  summary: 'Runs, the newest first; `total` are in that state, `all` in any',
  route: { method: 'GET', path: '/runs' },
  input: {
    type: 'object',
    additionalProperties: false,
    properties: { state: { enum: runStates }, limit, offset },
  },
  async run(foundry, input) {
    const all = [...foundry.ledger.state.runs.values()]
    const runs = all.filter(run => input.state === undefined || runStateOf(run) === input.state).reverse()
    const page = runs.slice(input.offset, input.offset + input.limit)
    return { total: runs.length, all: all.length, runs: page.map(run => summarise(foundry, run)) }
  },
})

export const showRun = defineOperation({
  name: 'runs.show',
  summary: 'One run with its slots',
  route: { method: 'GET', path: '/runs/:id' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id, state: { enum: slotStates }, limit: { ...limit, minimum: 0 }, offset },
  },
  async run(foundry, input) {
    const run = findNewestRun(foundry, input.id)
    // Whoever only wants the counts needs no plan, which may be large.
    if (input.limit === 0) return { ...summarise(foundry, run), total: run.slots.length, slots: [] }
    const { run: file } = await readRunFile(foundry.runFolder(run.accepted.run))
    const index = indexSlots(file.plan)
    const ordinals = [...run.slots.keys()].filter(
      ordinal => input.state === undefined || stateOf(run, ordinal) === input.state,
    )
    const slots = ordinals.slice(input.offset, input.offset + input.limit).flatMap(ordinal => {
      const slot = slotAt(index, ordinal)
      if (!slot) return []
      const values = { sliders: sweptSliders(index, slot), parameters: setParameters(index, slot) }
      return [describeSlot(run, ordinal, { ...slot, ...values })]
    })
    return { ...summarise(foundry, run), total: ordinals.length, slots }
  },
})

export const runManifest = defineOperation({
  name: 'runs.manifest',
  summary: 'The run manifest',
  route: { method: 'GET', path: '/runs/:id/manifest' },
  input: oneRun,
  async run(foundry, input): Promise<RunManifest> {
    const run = findNewestRun(foundry, input.id)
    const path = join(foundry.runFolder(run.accepted.run), runFiles.manifest)
    const { bytes } = await readBounded(path, { sizeBytesMax: 64 * 1024 * 1024 })
    return JSON.parse(bytes.toString('utf8')) as RunManifest
  },
})

export const runEvents = defineOperation({
  name: 'runs.events',
  summary: 'What happened to a run, the oldest first',
  route: { method: 'GET', path: '/runs/:id/events' },
  input: { type: 'object', additionalProperties: false, required: ['id'], properties: { id, limit } },
  async run(foundry, input) {
    const run = findNewestRun(foundry, input.id)
    const { run: name } = run.accepted
    const lines = await runEventLines(foundry.runFolder(name), eventsOnly(foundry.ledger.eventsOf(name)))
    return { run: name, events: lines.slice(0, input.limit).map(line => JSON.parse(line) as object) }
  },
})

export const removeRun = defineOperation({
  name: 'runs.remove',
  summary: 'Forgets a run that has ended and deletes its folder',
  route: { method: 'DELETE', path: '/runs/:id' },
  input: oneRun,
  async run(foundry, input, { by }) {
    const run = findRun(foundry, input.id)
    await remove(foundry, run, by)
    return { removed: [run.accepted.run] }
  },
})

export const pruneRuns = defineOperation({
  name: 'runs.prune',
  summary: 'Removes runs that ended longer ago than a number of days',
  route: { method: 'POST', path: '/runs/prune' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['days'],
    properties: {
      days: { type: 'number', minimum: 0 },
      state: { enum: ['done', 'failed', 'cancelled'] },
      dryRun: { type: 'boolean', default: false },
    },
  },
  async run(foundry, input, { by }) {
    const before = Date.now() - input.days * 86_400_000
    const old = [...foundry.ledger.state.runs.values()].filter(
      run => run.finished && run.finished.at <= before && (input.state ?? run.finished.state) === run.finished.state,
    )
    if (!input.dryRun) for (const run of old) await remove(foundry, run, by)
    return { removed: old.map(run => run.accepted.run) }
  },
})

export const slotThumbnail = defineOperation({
  name: 'runs.thumbnail',
  summary: 'A small picture of a slot (base64 WebP)',
  route: { method: 'GET', path: '/runs/:id/thumbnails/:ordinal' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'ordinal'],
    properties: { id, ordinal: { type: 'integer', minimum: 0 } },
  },
  async run(foundry, input) {
    const run = findRun(foundry, input.id)
    const { run: name } = run.accepted
    const source = thumbnailSource(run, input.ordinal, foundry.runFolder(name), foundry.thumbnails(name))
    const bytes = await foundry.pictures.do('thumbnail', source)
    if (!bytes) throw failure('SLOT_UNKNOWN', { run: name, slot: String(input.ordinal) })
    return { mime: 'image/jpeg', base64: Buffer.from(bytes).toString('base64') }
  },
})

async function remove(foundry: Foundry, run: RunState, by: string): Promise<void> {
  const { run: name } = run.accepted
  if (!run.finished && isSettled(run)) {
    // A crash came before its last files were written.
    await foundry.desk.review(name)
    await foundry.desk.idle()
  }
  if (!run.finished)
    throw failure('RUN_STATE_UNFIT', { run: name, state: runStateOf(run), operation: 'removed before it has ended' })
  await foundry.ledger.append({ kind: 'run-removed', at: Date.now(), run: name, by })
  await rm(foundry.runFolder(name), { recursive: true, force: true })
  if (existsSync(foundry.thumbnails(name))) await rm(foundry.thumbnails(name), { recursive: true, force: true })
}

interface ShownSlot {
  id: string
  seed: number
  /** What a sweep changes from picture to picture. */
  sliders: Readonly<Record<string, number>>
  parameters: ReturnType<typeof setParameters>
}

function describeSlot(run: RunState, ordinal: number, slot: ShownSlot) {
  const done = run.done.get(ordinal)
  const reason = slotReason(run, ordinal)
  const failures = run.failures.get(ordinal)
  return {
    ordinal,
    slot: slot.id,
    state: stateOf(run, ordinal),
    seed: slot.seed,
    ...(Object.keys(slot.sliders).length > 0 && { sliders: slot.sliders }),
    ...(Object.keys(slot.parameters).length > 0 && { parameters: slot.parameters }),
    attempts: run.attempts[ordinal] ?? 0,
    ...(done && { file: done.file, sha256: done.sha256 }),
    ...(reason !== undefined && { reason }),
    ...(failures && { failures }),
  }
}

export async function refreshManifest(foundry: Foundry, run: RunState): Promise<void> {
  const folder = foundry.runFolder(run.accepted.run)
  const { run: file, sha256 } = await readRunFile(folder)
  await writeManifest(folder, run, indexSlots(file.plan), { runFileSha256: sha256 })
}
