import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative } from 'node:path'
import { confine, toPosix } from '../files/confined-path.js'
import { copyDurable, makeFolder, replaceFile, syncFolder } from '../files/durable.js'
import { sha256File } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { takeTurns } from '../files/take-turns.js'
import type { Slot } from '../plan/job.js'
import { slotAt, type SlotIndex } from '../plan/slots.js'
import { imageSizeBytesMax, requestOf } from './carried-record.js'
import { imageFile, toJsonText, traceFile } from './run-folder.js'
import type { RunState } from './state.js'

const avatarFolder = 'comfyui_images/avatar'
const manifestFile = `${avatarFolder}/image_manifest.json`
const manifestSizeBytesMax = 64 * 1024 * 1024

/** Paths of pictures under the call folder: of backdrops by call, of personas by call and speaker. */
type ImageManifest = Record<(typeof manifestParts)[number], Record<string, string>>
const manifestParts = ['backdrops', 'personas'] as const

/** Runs of the same call folder share its manifest: each adds to what the one before has written. */
const exportTurn = takeTurns<string>()

/**
 * Gives a call folder the layout that its older tools read: pictures with their traces beside them, and `image_manifest.json`
 * last of all, with paths under the call folder. Pictures of earlier runs stay named as long as they exist. A draft never takes
 * the place of a real picture. May be repeated.
 */
export async function exportToCallFolder(
  callFolder: string,
  runFolder: string,
  run: RunState,
  index: SlotIndex,
): Promise<void> {
  await exportTurn(callFolder, async () => {
    const manifest = await readManifest(callFolder)
    const isDraft = run.accepted.renderer === 'draft'
    const mayReplace = async (target: string) => !isDraft || !(await isRealPicture(join(callFolder, target)))
    for (const [ordinal, done] of [...run.done].sort(([a], [b]) => a - b)) {
      const slot = slotAt(index, ordinal)
      const target = slot && exportFile(slot, index)
      if (!slot || target === undefined) continue
      if (await mayReplace(target)) {
        await place(join(runFolder, done.file), join(callFolder, target), done.sha256)
        await place(
          join(runFolder, traceFile(imageFile(slot.id))),
          join(callFolder, traceFile(target)),
          done.traceSha256,
        )
      }
      const named = slot.index === 0 ? nameOf(slot, index) : undefined
      if (named === undefined) continue
      const part = manifest[named.part]
      const earlier = part[named.key]
      if (earlier === undefined || (await mayReplace(earlier))) part[named.key] = target
    }
    await makeFolder(join(callFolder, avatarFolder))
    await replaceFile(join(callFolder, manifestFile), toJsonText(manifest))
  })
}

/** Real pictures of the call folder that stand where this run has drafts to put, as paths under it. */
export async function findPicturesToKeep(callFolder: string, index: SlotIndex): Promise<string[]> {
  const kept: string[] = []
  for (let ordinal = 0; ordinal < index.count; ordinal++) {
    const slot = slotAt(index, ordinal)
    const target = slot && exportFile(slot, index)
    if (target !== undefined && (await isRealPicture(join(callFolder, target)))) kept.push(target)
  }
  return kept
}

/** Where the picture of a slot lies in a call folder, as a path under it; undefined where it has no place there. */
function exportFile(slot: Slot, { plan }: SlotIndex): string | undefined {
  const exports = plan.series[slot.series]?.exports
  if (!exports) return undefined
  const suffix = slot.index === 0 ? '' : `_${String(slot.index + 1).padStart(3, '0')}`
  return `${exports}${suffix}.png`
}

function nameOf(slot: Slot, { plan }: SlotIndex): { part: keyof ImageManifest; key: string } | undefined {
  const series = plan.series[slot.series]
  if (!series) return undefined
  return { part: series.privateSource?.kind === 'transcript' ? 'backdrops' : 'personas', key: series.subject }
}

/** Of what is named so far, the pictures under the call folder that exist. A file that cannot be read names nothing. */
async function readManifest(callFolder: string): Promise<ImageManifest> {
  const read = await readBounded(join(callFolder, manifestFile), { sizeBytesMax: manifestSizeBytesMax }).catch(
    () => undefined,
  )
  const written = parseObject(read?.bytes.toString('utf8') ?? '')
  const [backdrops = {}, personas = {}] = manifestParts.map(part =>
    presentPictures(callFolder, toObject(written[part])),
  )
  return { backdrops, personas }
}

function presentPictures(callFolder: string, written: Record<string, unknown>): Record<string, string> {
  const present = Object.entries(written).flatMap(([key, path]) => {
    const target = typeof path === 'string' ? pathUnder(callFolder, path) : undefined
    return target !== undefined && existsSync(join(callFolder, target)) ? [[key, target] as const] : []
  })
  return Object.fromEntries(present)
}

/** Older tools wrote whole paths as well. Undefined for those that lead elsewhere. */
function pathUnder(callFolder: string, path: string): string | undefined {
  const wanted = isAbsolute(path) ? relative(callFolder, path) : path
  try {
    return toPosix(relative(callFolder, confine(callFolder, wanted)))
  } catch {
    // Another machine's path, or one outside: nothing of this folder.
    return undefined
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return toObject(JSON.parse(text))
  } catch {
    // Absent, or half written by another tool: written anew.
    return {}
  }
}

function toObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** A file that does not say of itself that it is a draft counts as real: the older generator's pictures say nothing. */
async function isRealPicture(path: string): Promise<boolean> {
  if (!existsSync(path)) return false
  const read = await readBounded(path, { sizeBytesMax: imageSizeBytesMax }).catch(() => undefined)
  return !read || requestOf(read.bytes)?.renderer !== 'draft'
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
