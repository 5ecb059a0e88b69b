import { join } from 'node:path'
import { replaceFile } from '../files/durable.js'
import { sha256 } from '../files/hash.js'
import type { SlotIndex } from '../plan/slots.js'
import { slotAt } from '../plan/slots.js'
import type { ManifestComposite, ManifestImage, RunManifest } from '../schema/run-manifest.js'
import { runFiles, toJsonText, traceFile } from './run-folder.js'
import { spendOf } from './spend.js'
import { type RunState, runStateOf, stateOf } from './state.js'

/** Beyond this many images the manifest is an index over parts. */
export const imagesPerPart = 5000
/** Slots without a picture that a manifest names; the counts are always whole. */
const troublesMax = 1000

/**
 * Writes `manifest.json` (and its parts) durably and answers its SHA-256.
 * Written at acceptance, at most every 30 s, and at the end of a run.
 */
export async function writeManifest(
  folder: string,
  run: RunState,
  index: SlotIndex,
  { runFileSha256, composites = [] }: { runFileSha256: string; composites?: readonly ManifestComposite[] },
): Promise<string> {
  const images = manifestImages(run, index)
  const parts: NonNullable<RunManifest['parts']> = []
  if (images.length > imagesPerPart) {
    for (let at = 0; at < images.length; at += imagesPerPart) {
      const part = images.slice(at, at + imagesPerPart)
      const file = `manifest-${String(at / imagesPerPart + 1).padStart(4, '0')}.json`
      const text = toJsonText(part)
      await replaceFile(join(folder, file), text)
      parts.push({ file, sha256: sha256(text), images: part.length })
    }
  }
  const troubles = [...run.reasons].slice(0, troublesMax).map(([ordinal, reason]) => {
    const slot = slotAt(index, ordinal)
    return { slot: slot?.id ?? String(ordinal), state: stateOf(run, ordinal), reason }
  })
  const spent = spendOf(run.done.values())
  const manifest: RunManifest = {
    $schema: 'run-manifest/1',
    run: run.accepted.run,
    key: run.accepted.key,
    version: run.accepted.version,
    state: runStateOf(run),
    counts: { slots: run.slots.length, ...run.counts, reused: run.reused },
    ...(spent.length > 0 && { spent }),
    images: parts.length > 0 ? [] : images,
    ...(parts.length > 0 && { parts }),
    ...(composites.length > 0 && { composites: [...composites] }),
    ...(troubles.length > 0 && { failed: troubles }),
    runFileSha256,
    updatedAt: new Date().toISOString(),
  }
  const text = toJsonText(manifest)
  await replaceFile(join(folder, runFiles.manifest), text)
  return sha256(text)
}

function manifestImages(run: RunState, index: SlotIndex): ManifestImage[] {
  const ordinals = [...run.done.keys()].sort((a, b) => a - b)
  return ordinals.flatMap(ordinal => {
    const done = run.done.get(ordinal)
    const slot = slotAt(index, ordinal)
    if (!done || !slot) return []
    const { file, sha256: hash, traceSha256 } = done
    return [{ slot: slot.id, file, sha256: hash, trace: traceFile(file), traceSha256 }]
  })
}
