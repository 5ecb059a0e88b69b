import { randomUUID } from 'node:crypto'
import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { failure, reasonOf } from '../errors.js'
import { copyDurable, linkFirst, makeFolder, replaceFile, syncFolder, syncHandle, writeAll } from '../files/durable.js'
import { failpoint } from '../files/failpoint.js'
import { sha256, sha256Aside } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import { systemCalls } from '../files/system-calls.js'
import type { GraphJob } from '../plan/job.js'
import type { Price, ResultPart, Trace } from '../schema/trace.js'
import { logicalGraph } from '../workflow/canonical-graph.js'
import { graphChunk, imageSizeBytesMax, readTrace, requestOf, traceChunk } from './carried-record.js'
import { type PictureFacts, type PictureWish, readPicture } from './picture.js'
import { withoutPngText, withoutPngWords, withPngText } from './png-text.js'
import type { RepeatedPictures } from './repeated-pictures.js'
import { imageFile, toJsonText, traceFile } from './run-folder.js'

export interface CommitPlace {
  runFolder: string
  staging: string
  orphans: string
  /** Where a thumbnail from the same decoding goes, and its longest side in pixels; none where absent. */
  thumbnail?: { file: string; side: number }
}

export interface CommitFacts {
  foundry: string
  server: ResultPart['server']
  submittedSha256?: string
  attempts: ResultPart['attempts']
  timings: Record<string, number>
  /** What was paid for it. */
  price?: Price
  /** A new picture would cost again. */
  isPaid?: boolean
}

export interface Committed {
  file: string
  sha256: string
  traceSha256: string
  sizeBytes: number
}

/**
 * Commits one picture: verified, staged, synced, linked under its final name only if nothing is there, traced.
 * Any prefix of these steps is recovered by `adoptPicture`. Answers `kept: false` when another picture was there first;
 * ours then lies in the orphans. Throws OUTPUT_INVALID for bytes that are not the wanted picture, or are one of `repeated`.
 */
export async function commitPicture(
  bytes: Buffer,
  job: GraphJob,
  place: CommitPlace,
  facts: CommitFacts & { repeated?: RepeatedPictures },
): Promise<Committed | { orphan: string }> {
  // Servers write what they were sent beside the job into the picture: one that mixes pictures up is found out.
  const sent = requestOf(bytes)
  if (sent && sent.renderHash !== job.renderHash) throw failure('OUTPUT_INVALID', { reason: 'it is of another job' })
  const picture = await readPicture(bytes, wishOf(job, place))
  // Drafts need not differ.
  if (job.target.renderer !== 'draft' && !facts.isPaid)
    facts.repeated?.check(job.run, { pixelSha256: picture.pixelSha256, seed: job.slot.seed })
  const image = recordedBytes(bytes, job)
  const staged = await stage(image, stagedName(job, facts.attempts.length), place.staging)
  return leavingNothing(staged, () => settle({ path: staged, bytes: image, picture }, job, place, facts))
}

/**
 * Finds what a crash left of a job: its final picture, or a staged one that is whole. Commits it without asking any server.
 * Answers undefined when there is nothing to adopt.
 */
export async function adoptPicture(
  job: GraphJob,
  place: CommitPlace,
  facts: CommitFacts,
): Promise<Committed | undefined> {
  const target = join(place.runFolder, imageFile(job.slot.id))
  const found = (await readOwn(target, job)) ?? (await findStaged(job, place.staging))
  if (!found) return undefined
  const picture = await readPicture(found.bytes, wishOf(job, place)).catch(() => undefined)
  if (!picture) return undefined
  const settled = await settle({ ...found, picture }, job, place, facts)
  if ('orphan' in settled) return undefined
  await discardStaged(job, place.staging)
  return settled
}

/** Takes over a committed picture of another run: re-hashed, copied (reflink where possible), traced as reused. */
export async function reusePicture(
  source: { run: string; folder: string; file: string; sha256: string },
  job: GraphJob,
  place: CommitPlace,
  foundry: string,
): Promise<Committed | undefined> {
  const from = join(source.folder, source.file)
  const bytes = await readBounded(from, { sizeBytesMax: imageSizeBytesMax }).then(
    read => read.bytes,
    () => undefined,
  )
  if (!bytes || sha256(bytes) !== source.sha256) return undefined
  const sourceTrace = await readTrace(source.folder, source.file)
  if (!sourceTrace) return undefined
  const target = join(place.runFolder, imageFile(job.slot.id))
  await makeFolder(dirname(target))
  const staged = join(place.staging, `${stagedName(job, 0)}-${randomUUID()}`)
  await copyDurable(from, staged)
  const linked = await leavingNothing(staged, () => linkFirst(staged, target))
  if (linked === 'different') {
    await unlink(staged)
    return undefined
  }
  await syncFolder(dirname(target))
  // What was paid, was paid for the picture that it is taken from.
  const { price: _paid, ...made } = sourceTrace.result
  const result: ResultPart = {
    ...made,
    file: imageFile(job.slot.id),
    committedAt: new Date().toISOString(),
    reusedFrom: { run: source.run, file: source.file },
  }
  const traceSha256 = await writeTrace(place.runFolder, { $schema: 'trace/1', foundry, request: job.request, result })
  return { file: result.file, sha256: source.sha256, traceSha256, sizeBytes: bytes.length }
}

/** What fails is tried again from its bytes: on a full disk every try would leave a staged file more. */
async function leavingNothing<Result>(staged: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    await unlink(staged).catch(() => undefined)
    throw error
  }
}

function wishOf({ width, height, isSizeKnown }: GraphJob, { thumbnail }: CommitPlace): PictureWish {
  return { ...(isSizeKnown && { width, height }), ...(thumbnail && { thumbnailSide: thumbnail.side }) }
}

async function settle(
  { path: staged, bytes: image, picture }: { path: string; bytes: Buffer; picture: PictureFacts },
  job: GraphJob,
  place: CommitPlace,
  facts: CommitFacts,
): Promise<Committed | { orphan: string }> {
  const file = imageFile(job.slot.id)
  const target = join(place.runFolder, file)
  await makeFolder(dirname(target))
  if (staged !== target) {
    const linked = await linkFirst(staged, target)
    await failpoint('linked')
    if (linked === 'different') return { orphan: await keepOrphan(staged, place.orphans) }
  }
  await syncFolder(dirname(target))
  await failpoint('folder-synced')
  const result: ResultPart = {
    file,
    fileSha256: await sha256Aside(image),
    pixelSha256: picture.pixelSha256,
    sizeBytes: image.length,
    width: picture.width,
    height: picture.height,
    server: facts.server,
    ...(facts.submittedSha256 !== undefined && { submittedSha256: facts.submittedSha256 }),
    attempts: facts.attempts,
    timings: facts.timings,
    ...(facts.price && { price: facts.price }),
    committedAt: new Date().toISOString(),
    draft: job.target.renderer === 'draft',
  }
  const trace: Trace = { $schema: 'trace/1', foundry: facts.foundry, request: job.request, result }
  const traceSha256 = await writeTrace(place.runFolder, trace)
  await failpoint('sidecar')
  if (place.thumbnail && picture.thumbnail) await keepThumbnail(place.thumbnail.file, picture.thumbnail)
  return { file, sha256: result.fileSha256, traceSha256, sizeBytes: image.length }
}

/**
 * What the picture itself carries: the request part of its trace and the logical graph, from which it can be made again.
 * Private prompts never stay in the file, whatever a server has written there.
 */
function recordedBytes(bytes: Buffer, job: GraphJob): Buffer {
  const bare = job.isPrivate ? withoutPngWords(bytes) : withoutPngText(bytes, [traceChunk])
  const chunks = [{ keyword: traceChunk, text: JSON.stringify(job.request) }]
  if (!job.isPrivate) chunks.push({ keyword: graphChunk, text: JSON.stringify(logicalGraph(job.graph, job.save)) })
  return withPngText(bare, chunks)
}

async function stage(bytes: Buffer, name: string, folder: string): Promise<string> {
  const path = join(folder, `${name}-${randomUUID()}`)
  try {
    await makeFolder(folder)
    const handle = await systemCalls.open(path, 'wx')
    try {
      await writeAll(handle, bytes)
      await failpoint('staged')
      await syncHandle(handle)
      await failpoint('synced')
    } finally {
      await handle.close()
    }
    return path
  } catch (error) {
    await unlink(path).catch(() => undefined)
    throw failure(
      'FILE_WRITE_FAILED',
      { file: path, reason: (error as NodeJS.ErrnoException).code ?? reasonOf(error) },
      error,
    )
  }
}

async function writeTrace(runFolder: string, trace: Trace): Promise<string> {
  const text = toJsonText(trace)
  await replaceFile(join(runFolder, traceFile(trace.result.file)), text)
  return sha256(text)
}

/** One that is missing is made again when it is wanted. */
async function keepThumbnail(file: string, thumbnail: Buffer): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
    .then(() => writeFile(file, thumbnail))
    .catch(() => undefined)
}

/** Keeps bytes that are not the slot's picture, under a name of their own, without private words. Answers the name. */
export async function keepPicture(bytes: Uint8Array, job: GraphJob, attempt: number, folder: string): Promise<string> {
  const name = `${stagedName(job, attempt)}-${randomUUID()}.png`
  await makeFolder(folder)
  await replaceFile(join(folder, name), job.isPrivate ? withoutPngWords(bytes) : bytes)
  return name
}

async function keepOrphan(staged: string, folder: string): Promise<string> {
  await makeFolder(folder)
  const kept = join(folder, `${basename(staged)}.png`)
  await linkFirst(staged, kept)
  return kept
}

function stagedName(job: GraphJob, attempt: number): string {
  return `${job.id}-${attempt}`
}

async function findStaged(job: GraphJob, folder: string): Promise<{ path: string; bytes: Buffer } | undefined> {
  for (const path of await stagedPaths(job, folder)) {
    const own = await readOwn(path, job)
    if (own) return own
    await unlink(path).catch(() => undefined)
  }
  return undefined
}

/** A crash between linking and unlinking leaves both names. */
async function discardStaged(job: GraphJob, folder: string): Promise<void> {
  for (const path of await stagedPaths(job, folder)) await unlink(path).catch(() => undefined)
}

async function stagedPaths(job: GraphJob, folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter(name => name.startsWith(`${job.id}-`)).map(name => join(folder, name))
}

/** The file when it is a picture of exactly this job. */
async function readOwn(path: string, job: GraphJob): Promise<{ path: string; bytes: Buffer } | undefined> {
  const read = await readBounded(path, { sizeBytesMax: imageSizeBytesMax }).catch(() => undefined)
  if (!read) return undefined
  const record = requestOf(read.bytes)
  return record?.job === job.id && record.renderHash === job.renderHash ? { path, bytes: read.bytes } : undefined
}
