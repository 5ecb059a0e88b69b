import { dirname, join } from 'node:path'
import { makeFolder, replaceFile } from '../files/durable.js'
import { failpoint } from '../files/failpoint.js'
import { hashJson, sha256 } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import type { CompositeTrace } from '../schema/composite-trace.js'
import type { ManifestComposite } from '../schema/run-manifest.js'
import { imageSizeBytesMax } from './carried-record.js'
import { type CompositeWish, drawComposite } from './draw-composite.js'
import { toJsonText, traceFile } from './run-folder.js'

const traceSizeBytesMax = 16 * 1024 * 1024

/**
 * Makes one picture of several committed ones, and its trace. The same wish gives the same bytes; where they lie there already,
 * nothing is written. Each file is replaced as a whole, the trace last, so that a crash leaves nothing half. A picture that is
 * not as it was recorded leaves its place empty. Throws FILE_WRITE_FAILED.
 */
export async function makeComposite(wish: CompositeWish): Promise<ManifestComposite> {
  const { folder, file, about } = wish
  const { subject, template } = about
  const trace = traceFile(file)
  const known = await findMade(wish, trace)
  if (known) return { subject, template, file, trace, ...known }
  const { bytes, width, height } = await drawComposite(wish, read => readPictureOf(folder, read))
  const hash = sha256(bytes)
  const text = toJsonText({
    $schema: 'composite-trace/1',
    ...about,
    result: { file, fileSha256: hash, width, height },
  } satisfies CompositeTrace)
  await makeFolder(dirname(join(folder, file)))
  await failpoint('composite')
  await replaceFile(join(folder, file), bytes)
  await failpoint('composite')
  await replaceFile(join(folder, trace), text)
  await failpoint('composite')
  return { subject, template, file, sha256: hash, trace, traceSha256: sha256(text) }
}

/** The composite and its trace, where both are there and are of exactly this wish. */
async function findMade(
  { folder, file, about }: CompositeWish,
  trace: string,
): Promise<Pick<ManifestComposite, 'sha256' | 'traceSha256'> | undefined> {
  try {
    const read = await readBounded(join(folder, trace), { sizeBytesMax: traceSizeBytesMax })
    const { $schema: _, result, ...made } = JSON.parse(read.bytes.toString('utf8')) as CompositeTrace
    if (hashJson(made) !== hashJson(about) || result.file !== file) return undefined
    const picture = await readBounded(join(folder, file), { sizeBytesMax: imageSizeBytesMax })
    const hash = sha256(picture.bytes)
    return hash === result.fileSha256 ? { sha256: hash, traceSha256: sha256(read.bytes) } : undefined
  } catch {
    // Absent, or not of our making: it is made.
    return undefined
  }
}

/** The bytes of a picture when they are those that were recorded. */
async function readPictureOf(
  folder: string,
  { file, sha256: recorded }: { file: string; sha256: string },
): Promise<Buffer | undefined> {
  const read = await readBounded(join(folder, file), { sizeBytesMax: imageSizeBytesMax }).catch(() => undefined)
  return read && sha256(read.bytes) === recorded ? read.bytes : undefined
}
