import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { reasonOf } from '../errors.js'
import { sha256File } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import type { ManifestImage, RunManifest } from '../schema/run-manifest.js'
import type { CompositeTrace } from '../schema/composite-trace.js'
import type { Trace } from '../schema/trace.js'
import { imageSizeBytesMax } from './carried-record.js'
import { readRunFile, runFileSizeBytesMax, runFiles } from './run-folder.js'

/** One byte or file that is not what was recorded. */
export interface Difference {
  /** Path under the run folder, or the logical name of an input. */
  what: string
  expected: string
  found: string
}

export interface Verification {
  images: number
  inputs: number
  differences: Difference[]
}

/** What is read of report.json. */
interface Report {
  manifestSha256?: string
  files?: Record<string, string>
}

interface VerifyOptions {
  reportSha256?: string | undefined
  /** Otherwise a run manifest may be missing still. */
  isFinished?: boolean
}

/** What is found in place of a hash where nothing is. */
const missing = 'missing'
const traceSizeBytesMax = 16 * 1024 * 1024

/**
 * Hashes every input and output of a run again. `inputHash` answers the hash of an input by its logical name now, or undefined
 * when it cannot be found any more. The journal holds the hash of the report, the report those of manifest, contact sheet and
 * events, the manifest those of run.json, images, composites and their traces.
 */
export async function verifyRun(
  folder: string,
  inputHash: (name: string) => Promise<string | undefined>,
  { reportSha256, isFinished = true }: VerifyOptions = {},
): Promise<Verification> {
  // A file that differs in several ways is named once, by the first of them.
  const different = new Map<string, Difference>()
  const compare = (what: string, expected: string, found: string) => {
    if (expected !== found && !different.has(what)) different.set(what, { what, expected, found })
  }
  const manifestHash = await hashOf(join(folder, runFiles.manifest))
  const manifest = await readJson<Partial<RunManifest>>(join(folder, runFiles.manifest))
  const report = await readJson<Report>(join(folder, runFiles.report))
  if (reportSha256 !== undefined) compare(runFiles.report, reportSha256, await hashOf(join(folder, runFiles.report)))
  for (const file of [runFiles.contactSheet, runFiles.events]) {
    const hash = report?.files?.[file]
    if (hash !== undefined) compare(file, hash, await hashOf(join(folder, file)))
  }
  if (report?.manifestSha256 !== undefined) compare(runFiles.manifest, report.manifestSha256, manifestHash)
  else if (existsSync(join(folder, runFiles.report))) compare(runFiles.report, 'a report', 'no readable report')
  if (!manifest) {
    // A run that has not ended yet may have none.
    if (isFinished || manifestHash !== missing) compare(runFiles.manifest, 'a run manifest', manifestHash)
    return { images: 0, inputs: 0, differences: [...different.values()] }
  }
  compare(runFiles.run, manifest.runFileSha256 ?? 'a hash', await hashOf(join(folder, runFiles.run)))
  const images = await imagesOf(folder, manifest, compare)
  for (const image of images) {
    compare(image.file, image.sha256, await hashOf(join(folder, image.file)))
    compare(image.trace, image.traceSha256, await hashOf(join(folder, image.trace)))
    const trace = await readJson<Partial<Trace>>(join(folder, image.trace))
    if (trace?.result?.fileSha256 !== image.sha256)
      compare(image.trace, image.sha256, trace?.result?.fileSha256 ?? 'unreadable')
  }
  const hashByFile = new Map(images.map(({ file, sha256 }) => [file, sha256]))
  for (const composite of manifest.composites ?? []) {
    compare(composite.file, composite.sha256, await hashOf(join(folder, composite.file)))
    compare(composite.trace, composite.traceSha256, await hashOf(join(folder, composite.trace)))
    const trace = await readJson<Partial<CompositeTrace>>(join(folder, composite.trace))
    compare(composite.trace, composite.sha256, trace?.result?.fileSha256 ?? 'unreadable')
    for (const { file, sha256 } of trace?.cells ?? [])
      if (file !== undefined) compare(composite.trace, hashByFile.get(file) ?? missing, sha256 ?? missing)
  }
  const inputs = await readRunFile(folder).then(
    ({ run }) => run.plan.inputs,
    () => [],
  )
  for (const { name, sha256: expected } of inputs)
    compare(name, expected, (await inputHash(name).catch(error => reasonOf(error))) ?? missing)
  return { images: images.length, inputs: inputs.length, differences: [...different.values()] }
}

async function imagesOf(
  folder: string,
  manifest: Partial<RunManifest>,
  compare: (what: string, expected: string, found: string) => void,
): Promise<ManifestImage[]> {
  const images = [...(manifest.images ?? [])]
  for (const part of manifest.parts ?? []) {
    compare(part.file, part.sha256, await hashOf(join(folder, part.file)))
    images.push(...((await readJson<ManifestImage[]>(join(folder, part.file))) ?? []))
  }
  return images
}

async function hashOf(path: string): Promise<string> {
  if (!existsSync(path)) return missing
  return (await sha256File(path, { sizeBytesMax: imageSizeBytesMax })).sha256
}

async function readJson<Value>(path: string): Promise<Value | undefined> {
  try {
    const sizeBytesMax = path.endsWith('.trace.json') ? traceSizeBytesMax : runFileSizeBytesMax
    const { bytes } = await readBounded(path, { sizeBytesMax })
    // The hash beside it says whether these bytes are ours, and until then any field may be missing.
    return JSON.parse(bytes.toString('utf8')) as Value
  } catch {
    // Absent or damaged: the comparison of hashes names it.
    return undefined
  }
}
