import sharp from 'sharp'
import { pngHeaderEnd, pngTextChunks, type PngText } from '../../../src/plugins/contract.js'
import { bendPicture, composePicture } from './compose-picture.js'
import type { DraftPicture } from './draft-picture.js'
import type { Look } from './look.js'
import { useFault, type Faults } from './options.js'
import { paintDraft } from './paint.js'

/** Makes the bytes of saved pictures. */
export interface PictureMaker {
  /** The file in parts: beginning, texts, pixels. Parts may be shared with other files. */
  make(request: PictureRequest): Promise<{ parts: Buffer[]; isShared: boolean }>
  preview(): Promise<Buffer>
}

export interface PictureRequest {
  look: Look
  /** The foundry's record in the request, if any. */
  record: unknown
  batchIndex: number
  texts: readonly PngText[]
}

/** Pixels up to which plain pictures get their noise; larger ones are one colour. */
const noisePixelsMax = 16_000_000
const preparedMax = 32

export function createPictureMaker(faults: Faults): PictureMaker {
  const prepared = new Map<string, Promise<Buffer>>()
  let ordinal = 0
  let last: Buffer | undefined
  let previewBytes: Promise<Buffer> | undefined

  async function pixels({ look, record, batchIndex }: PictureRequest): Promise<{ png: Buffer; isShared: boolean }> {
    const composed = composePicture(look, record, batchIndex)
    const isWrong = useFault(faults, 'wrongSize')
    const sized = isWrong
      ? { ...composed, width: composed.width + 8, height: Math.max(1, composed.height - 8) }
      : composed
    const picture = bendPicture(sized, faults, ++ordinal)
    if (useFault(faults, 'black')) return { png: await plainPicture(picture, { colour: 0 }), isShared: false }
    if (record === undefined && !look.isSampled && !look.words) {
      return { png: await plainPicture(picture, look), isShared: false }
    }
    return faults.prepared
      ? { png: await preparedPicture(prepared, picture), isShared: true }
      : { png: await paintDraft(picture), isShared: false }
  }

  return {
    async make(request) {
      const isRepeated = last !== undefined && useFault(faults, 'repeat')
      const { png, isShared } = isRepeated && last ? { png: last, isShared: true } : await pixels(request)
      last = png
      const texts = pngTextChunks(request.texts)
      return { parts: [png.subarray(0, pngHeaderEnd), texts, png.subarray(pngHeaderEnd)], isShared }
    },
    preview() {
      previewBytes ??= sharp({ create: { width: 64, height: 64, channels: 3, background: '#777' } })
        .jpeg()
        .toBuffer()
      return previewBytes
    },
  }
}

/** One painted picture per size, whatever it shows. */
function preparedPicture(prepared: Map<string, Promise<Buffer>>, picture: DraftPicture): Promise<Buffer> {
  const size = `${picture.width}x${picture.height}`
  const known = prepared.get(size)
  if (known) return known
  const made = paintDraft(picture)
  if (prepared.size < preparedMax) prepared.set(size, made)
  return made
}

/** A picture no sampler made: one colour, with noise where a seed stirred it. The same inputs give the same bytes. */
async function plainPicture(picture: DraftPicture, look: Pick<Look, 'colour' | 'seed'>): Promise<Buffer> {
  const { width, height } = picture
  const colour = look.colour ?? 0x808080
  const rgb = { r: (colour >> 16) & 255, g: (colour >> 8) & 255, b: colour & 255 }
  if (look.seed === undefined || width * height > noisePixelsMax) {
    return sharp({ create: { width, height, channels: 3, background: rgb }, limitInputPixels: false })
      .png({ compressionLevel: 1 })
      .toBuffer()
  }
  const raw = Buffer.allocUnsafe(width * height * 3)
  let state = (picture.seed ^ 0x9e3779b9) >>> 0 || 1
  for (let at = 0; at < raw.length; at += 3) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    raw[at] = (rgb.r + (state & 127)) & 255
    raw[at + 1] = (rgb.g + ((state >>> 8) & 127)) & 255
    raw[at + 2] = (rgb.b + ((state >>> 16) & 127)) & 255
  }
  return sharp(raw, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer()
}
