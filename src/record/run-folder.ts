import { join } from 'node:path'
import { replaceFile, makeFolder } from '../files/durable.js'
import { sha256 } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import type { RunFile } from '../schema/run.js'

/** What lies in `runs/<run>/`, as paths under it. */
export const runFiles = {
  run: 'run.json',
  manifest: 'manifest.json',
  report: 'report.json',
  events: 'events.jsonl',
  contactSheet: 'contact-sheet.webp',
  images: 'images',
  composites: 'composites',
} as const

/** run.json of a plan with 10,000 series is some 50 MB. */
export const runFileSizeBytesMax = 256 * 1024 * 1024

/** JSON as the foundry writes it: indented, with a closing line end. */
export function toJsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Writes run.json durably and answers its SHA-256; a run is accepted only behind this. */
export async function writeRunFile(folder: string, run: RunFile): Promise<string> {
  const text = toJsonText(run)
  await makeFolder(folder)
  await replaceFile(join(folder, runFiles.run), text)
  return sha256(text)
}

export async function readRunFile(folder: string): Promise<{ run: RunFile; sha256: string }> {
  const { bytes } = await readBounded(join(folder, runFiles.run), { sizeBytesMax: runFileSizeBytesMax })
  // The foundry wrote this file itself; `verify` proves its bytes.
  return { run: JSON.parse(bytes.toString('utf8')) as RunFile, sha256: sha256(bytes) }
}

/** Where the picture of a slot lies, as a path under the run folder. */
export function imageFile(slotId: string): string {
  return `${runFiles.images}/${slotId}.png`
}

/** Where a composite lies, as a path under the run folder. */
export function compositeFile(id: string): string {
  return `${runFiles.composites}/${id}.png`
}

export function traceFile(image: string): string {
  return `${image.replace(/\.[a-z0-9]+$/, '')}.trace.json`
}
