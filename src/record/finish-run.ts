import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../files/durable.js'
import { sha256 } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { type SlotIndex, slotAt } from '../plan/slots.js'
import { imageSizeBytesMax } from './commit.js'
import { type ContactItem, renderContactSheet } from './contact-sheet.js'
import type { FoundryEvent } from './events.js'
import { writeManifest } from './manifest.js'
import { readPicture } from './picture.js'
import { runEventLines } from './run-events.js'
import { readRunFile, runFiles, toJsonText } from './run-folder.js'
import { sweepTemporaries } from './sweep.js'
import { type RunState, settledState, stateOf } from './state.js'

export interface FinishOptions {
  folder: string
  thumbnails: string
  /** The events of the run so far, oldest first. */
  events: AsyncIterable<FoundryEvent> | Iterable<FoundryEvent>
}

/**
 * Writes what a finished run leaves: contact sheet, events, manifest, and last of all the report with the hashes of the others.
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
  const manifestSha256 = await writeManifest(folder, settled, index, runFileSha256)
  const { startedAt, counts, reused, failures, accepted } = run
  const report = {
    $schema: 'report/1',
    run: accepted.run,
    key: accepted.key,
    state,
    counts: { slots: run.slots.length, ...counts, reused },
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

export function thumbnailFile(folder: string, ordinal: number): string {
  return join(folder, `${ordinal}.webp`)
}

/** A thumbnail of a committed picture: the kept one, else made now. */
export async function thumbnailOf(
  run: RunState,
  ordinal: number,
  folder: string,
  thumbnails: string,
): Promise<Buffer | undefined> {
  const kept = thumbnailFile(thumbnails, ordinal)
  if (existsSync(kept)) return readFile(kept)
  const done = run.done.get(ordinal)
  if (!done) return undefined
  const { bytes } = await readBounded(join(folder, done.file), { sizeBytesMax: imageSizeBytesMax })
  return (await readPicture(bytes, { thumbnailSide: thumbnailSideDefault })).thumbnail
}
const thumbnailSideDefault = 320

async function contactSheet(run: RunState, index: SlotIndex, { folder, thumbnails }: FinishOptions): Promise<Buffer> {
  const { counts, accepted } = run
  const parts = [`${counts.done} of ${run.slots.length} pictures`]
  for (const state of ['failed', 'cancelled', 'skipped'] as const)
    if (counts[state] > 0) parts.push(`${counts[state]} ${state}`)
  parts.push(
    accepted.renderer === 'draft' ? 'drafts' : accepted.renderer,
    new Date(accepted.at).toISOString().slice(0, 10),
  )
  return renderContactSheet({
    title: accepted.run,
    subtitle: parts.join(' · '),
    count: run.slots.length,
    items: contactItems(run, index, folder, thumbnails),
  })
}

function* contactItems(run: RunState, index: SlotIndex, folder: string, thumbnails: string): Iterable<ContactItem> {
  for (let ordinal = 0; ordinal < index.count; ordinal++) {
    const slot = slotAt(index, ordinal)
    if (!slot) return
    const reason = run.reasons.get(ordinal)
    yield {
      caption: slot.id,
      detail: reason ?? `seed ${slot.seed}`,
      state: stateOf(run, ordinal),
      thumbnail: () => thumbnailOf(run, ordinal, folder, thumbnails).catch(() => undefined),
    }
  }
}
