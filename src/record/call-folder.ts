import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { copyDurable, makeFolder, replaceFile, syncFolder } from '../files/durable.js'
import { sha256File } from '../files/hash.js'
import { slotAt, type SlotIndex } from '../plan/slots.js'
import { imageFile, toJsonText, traceFile } from './run-folder.js'
import type { RunState } from './state.js'

const avatarFolder = 'comfyui_images/avatar'

/**
 * Gives a call folder the layout that its older tools read (pictures with their traces beside them, and `image_manifest.json`
 * last of all, with paths under the call folder). Only pictures that exist are named. May be repeated.
 */
export async function exportToCallFolder(
  callFolder: string,
  runFolder: string,
  run: RunState,
  index: SlotIndex,
): Promise<void> {
  const manifest: { backdrops: Record<string, string>; personas: Record<string, string> } = {
    backdrops: {},
    personas: {},
  }
  for (const [ordinal, done] of [...run.done].sort(([a], [b]) => a - b)) {
    const slot = slotAt(index, ordinal)
    const series = slot && index.plan.series[slot.series]
    if (!slot || !series?.exports) continue
    const suffix = slot.index === 0 ? '' : `_${String(slot.index + 1).padStart(3, '0')}`
    const target = `${series.exports}${suffix}.png`
    await place(join(runFolder, done.file), join(callFolder, target), done.sha256)
    await place(join(runFolder, traceFile(imageFile(slot.id))), join(callFolder, traceFile(target)), done.traceSha256)
    if (slot.index === 0)
      manifest[series.privateSource?.kind === 'transcript' ? 'backdrops' : 'personas'][series.subject] = target
  }
  const folder = join(callFolder, avatarFolder)
  await makeFolder(folder)
  await replaceFile(join(folder, 'image_manifest.json'), toJsonText(manifest))
}

/** The layout holds the newest picture under a fixed name, so an older one gives way. */
async function place(from: string, to: string, sha256: string): Promise<void> {
  if (!existsSync(to)) {
    await makeFolder(dirname(to))
    await copyDurable(from, to)
    await syncFolder(dirname(to))
  } else if ((await sha256File(to)).sha256 !== sha256) {
    await replaceFile(to, await readFile(from))
  }
}
