import { join } from 'node:path'
import { replaceFile } from '../files/durable.js'
import { sha256 } from '../files/hash.js'
import { compositesOf } from '../plan/composites.js'
import { describeValues, setParameters, type SlotIndex, slotAt, sweptSliders } from '../plan/slots.js'
import type { CompositeCell } from '../schema/composite-trace.js'
import type { ManifestComposite } from '../schema/run-manifest.js'
import type { SlotState } from '../schema/run.js'
import { isSampled } from './contact-sampling.js'
import type { FoundryEvent } from './events.js'
import { writeManifest } from './manifest.js'
import type { Pictures } from './pictures.js'
import type { SheetItem, ThumbnailSource } from './pictures-thread.js'
import { runEventLines } from './run-events.js'
import { compositeFile, readRunFile, runFiles, toJsonText } from './run-folder.js'
import { spendOf } from './spend.js'
import { sweepTemporaries } from './sweep.js'
import { type RunState, settledState, stateOf } from './state.js'

export interface FinishOptions {
  folder: string
  thumbnails: string
  /** The events of the run so far, oldest first. */
  events: AsyncIterable<FoundryEvent> | Iterable<FoundryEvent>
  pictures: Pictures
  /** Version of the foundry, for the traces of composites. */
  foundry: string
}

/**
 * Writes what a finished run leaves: contact sheet, events, composites, manifest, and last of all the report with the hashes of the others.
 * May be repeated after a crash. Answers the hash of the report, which only the journal holds.
 */
export async function finishRun(
  run: RunState,
  index: SlotIndex,
  options: FinishOptions,
): Promise<{ state: 'done' | 'failed' | 'cancelled'; reportSha256: string }> {
  const state = settledState(run)
  const { folder } = options
  await sweepTemporaries(folder, { recursive: true })
  const sheet = await contactSheet(run, index, options)
  const events = (await runEventLines(folder, options.events)).map(line => `${line}\n`).join('')
  await replaceFile(join(folder, runFiles.contactSheet), sheet)
  await replaceFile(join(folder, runFiles.events), events)
  const settled: RunState = { ...run, finished: { at: Date.now(), state } }
  const { sha256: runFileSha256 } = await readRunFile(folder)
  const composites = await makeComposites(run, index, options)
  const manifestSha256 = await writeManifest(folder, settled, index, { runFileSha256, composites })
  const { startedAt, counts, reused, failures, accepted } = run
  const spent = spendOf(run.done.values())
  const report = {
    $schema: 'report/1',
    run: accepted.run,
    key: accepted.key,
    state,
    counts: { slots: run.slots.length, ...counts, reused },
    ...(spent.length > 0 && { spent }),
    attemptsFailed: [...failures.values()].reduce((sum, each) => sum + each.length, 0),
    acceptedAt: new Date(accepted.at).toISOString(),
    ...(startedAt !== undefined && { startedAt: new Date(startedAt).toISOString(), renderMs: Date.now() - startedAt }),
    finishedAt: new Date().toISOString(),
    manifestSha256,
    files: { [runFiles.contactSheet]: sha256(sheet), [runFiles.events]: sha256(events) },
  }
  const text = toJsonText(report)
  await replaceFile(join(folder, runFiles.report), text)
  return { state, reportSha256: sha256(text) }
}

/** One after the other. Those that a crash or an earlier end of the run has left are taken over where nothing has changed. */
async function makeComposites(
  run: RunState,
  index: SlotIndex,
  { folder, foundry, pictures }: FinishOptions,
): Promise<ManifestComposite[]> {
  const made: ManifestComposite[] = []
  const { run: name, renderer } = run.accepted
  for (const { id, series, layout, detail, ordinals } of compositesOf(index)) {
    const cells = ordinals.map((ordinal): CompositeCell => {
      const done = run.done.get(ordinal)
      const slot = slotAt(index, ordinal)?.id ?? String(ordinal)
      return { slot, state: stateOf(run, ordinal), ...(done && { file: done.file, sha256: done.sha256 }) }
    })
    const { subject, template, width, height } = series
    const about = { foundry, run: name, subject, template, renderer, layout, cells }
    made.push(
      await pictures.do('composite', { folder, file: compositeFile(id), detail, size: { width, height }, about }),
    )
  }
  return made
}

export function thumbnailFile(folder: string, ordinal: number): string {
  return join(folder, `${ordinal}.jpg`)
}

/** Where a slot's thumbnail comes from. */
export function thumbnailSource(run: RunState, ordinal: number, folder: string, thumbnails: string): ThumbnailSource {
  const file = run.done.get(ordinal)?.file
  return { kept: thumbnailFile(thumbnails, ordinal), image: file === undefined ? undefined : join(folder, file) }
}

function contactSheet(
  run: RunState,
  index: SlotIndex,
  { folder, thumbnails, pictures }: FinishOptions,
): Promise<Uint8Array> {
  const { accepted } = run
  const items: SheetItem[] = []
  const tally = new Map<SlotState, number>()
  for (let ordinal = 0; ordinal < index.count; ordinal++) {
    const state = stateOf(run, ordinal)
    tally.set(state, (tally.get(state) ?? 0) + 1)
    const slot = isSampled(ordinal, index.count) && slotAt(index, ordinal)
    if (!slot) continue
    const detail =
      run.reasons.get(ordinal) ??
      [describeValues({ ...sweptSliders(index, slot), ...setParameters(index, slot) }), `seed ${slot.seed}`]
        .filter(Boolean)
        .join(' · ')
    items.push({ caption: slot.id, detail, state, ...thumbnailSource(run, ordinal, folder, thumbnails) })
  }
  const renderer = accepted.renderer === 'draft' ? 'drafts' : accepted.renderer
  const subtitle = `${renderer} · ${new Date(accepted.at).toISOString().slice(0, 10)}`
  return pictures.do('drawSheet', { title: accepted.run, subtitle, items, tally })
}
