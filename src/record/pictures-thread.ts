import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import sharp from 'sharp'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { armFailpoints, type SharedFailpoints } from '../files/failpoint.js'
import { readBounded } from '../files/read-bounded.js'
import { takeTurns } from '../files/take-turns.js'
import type { GraphJob } from '../plan/job.js'
import { imageSizeBytesMax } from './carried-record.js'
import { adoptPicture, type CommitFacts, type CommitPlace, commitPicture, keepPicture, reusePicture } from './commit.js'
import { makeComposite } from './make-composite.js'
import { type ContactItem, type ContactSheet, renderContactSheet } from './contact-sheet.js'
import { readPicture } from './picture.js'
import { RepeatedPictures } from './repeated-pictures.js'

/** Files that a thumbnail is taken from: the kept one, else the picture, else there is none. */
export interface ThumbnailSource {
  kept: string
  image: string | undefined
}

export type SheetItem = Omit<ContactItem, 'thumbnail'> & ThumbnailSource

const thumbnailSide = 320

// No picture is decoded twice, so what sharp would remember of them is memory for nothing.
sharp.cache(false)

/** One sheet after the other: each is large while it is drawn, and runs like to end together. */
const inTurn = takeTurns<'sheet'>()

const repeated = new RepeatedPictures()

/** What the thread does. Bytes that crossed threads are no `Buffer` any more. */
const tasks = {
  commit: (bytes: Uint8Array, job: GraphJob, place: CommitPlace, facts: CommitFacts) =>
    commitPicture(bufferOf(bytes), job, place, { ...facts, repeated }),
  keep: keepPicture,
  adopt: adoptPicture,
  reuse: reusePicture,
  pixelSha256: async (bytes: Uint8Array) => (await readPicture(bufferOf(bytes))).pixelSha256,
  thumbnail,
  drawSheet,
  composite: (wish: Parameters<typeof makeComposite>[0]) => inTurn('sheet', () => makeComposite(wish)),
}
export type PictureTasks = typeof tasks

export interface TaskMessage {
  id: number
  name: keyof PictureTasks
  input: unknown[]
}

/** Errors cross threads as data. */
export interface TaskAnswer {
  id: number
  value?: unknown
  error?: { code: string; message: string; details: Record<string, unknown> }
}

async function thumbnail({ kept, image }: ThumbnailSource): Promise<Uint8Array | undefined> {
  if (existsSync(kept)) return readFile(kept)
  if (image === undefined) return undefined
  const { bytes } = await readBounded(image, { sizeBytesMax: imageSizeBytesMax })
  return (await readPicture(bytes, { thumbnailSide })).thumbnail
}

function drawSheet({ items, ...sheet }: ContactSheet<SheetItem>): Promise<Uint8Array> {
  const whole = { ...sheet, items: items.map(item => ({ ...item, thumbnail: () => thumbnail(item) })) }
  return inTurn('sheet', () => renderContactSheet(whole))
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function toPlain(error: unknown): NonNullable<TaskAnswer['error']> {
  const known = error instanceof FoundryError ? error : failure('PICTURES_FAILED', { reason: reasonOf(error) })
  return { code: known.code, message: known.message, details: { ...known.details } }
}

const shared = workerData as SharedFailpoints | undefined
if (shared) armFailpoints(shared.spec, shared.reached)
const port = parentPort
port?.on('message', ({ id, name, input }: TaskMessage) => {
  // The table gives each name its own input, which the other side has checked.
  const task = tasks[name] as (...input: unknown[]) => Promise<unknown>
  const answer = (message: Omit<TaskAnswer, 'id'>) => port.postMessage({ id, ...message })
  void task(...input).then(
    value => answer({ value }),
    (error: unknown) => answer({ error: toPlain(error) }),
  )
})
