import type { Problem } from '../errors.js'
import { sha256Aside } from '../files/hash.js'
import { type Reference, referenceFormats } from '../schema/reference.js'
import { pictureFormat } from './picture-format.js'

/** Pixels of each side. */
const sideMax = 8192
const pixelsMax = 40_000_000
/** It is decoded to this side, row by row: what is cut off is found, and no whole picture is held. */
const decodedSide = 32

type Unfit = Pick<Problem, 'code' | 'message' | 'found' | 'allowed'>

/** What a picture is, or why it can be no reference: of another kind, too large in pixels, cut off. */
export async function checkReference(bytes: Buffer): Promise<Reference | Unfit> {
  const format = pictureFormat(bytes)
  if (!format) return unfit('is no picture that can be a reference', { allowed: referenceFormats.join(', ') })
  // Loading it takes longer than most drops need.
  const { default: sharp } = await import('sharp')
  try {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata()
    if (width > sideMax || height > sideMax || width * height > pixelsMax)
      return unfit('has too many pixels', {
        found: `${width}×${height}`,
        allowed: `sides up to ${sideMax}, and ${pixelsMax / 1e6} megapixels`,
      })
    const options = { failOn: 'error', limitInputPixels: pixelsMax, sequentialRead: true } as const
    await sharp(bytes, options).resize(decodedSide, decodedSide, { fit: 'fill' }).raw().toBuffer()
    return { sha256: await sha256Aside(bytes), sizeBytes: bytes.length, format, width, height }
  } catch {
    // What a decoder says of hostile bytes helps nobody.
    return unfit('cannot be decoded: it is cut off or damaged', {})
  }
}

function unfit(message: string, more: Partial<Unfit>): Unfit {
  return { code: 'REFERENCE_UNFIT', message, ...more }
}
