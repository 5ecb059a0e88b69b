import sharp from 'sharp'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { sha256, sha256Aside } from '../files/hash.js'
import { pictureFormat } from '../library/picture-format.js'

/** Pixels of the largest picture that is decoded. */
export const picturePixelsMax = 100_000_000
/** A picture whose channels all stay at or below this level, of 255, counts as black. */
const blackLevelMax = 4

export interface PictureFacts {
  width: number
  height: number
  /** SHA-256 of `<width>x<height>:<SHA-256 of the pixels>`, these as RGBA, 8 bit each: the same whatever the compression. */
  pixelSha256: string
  /** JPEG, no larger than the picture itself. Absent where none was asked for. */
  thumbnail?: Buffer
}

export interface PictureWish {
  /** Expected pixels; any size is right where absent. */
  width?: number
  height?: number
  /** Longest side of the thumbnail in pixels; 0, the default, makes none. */
  thumbnailSide?: number
}

/**
 * Decodes a rendered picture once, and takes from that one decoding the pixel hash, the checks and the thumbnail.
 * Throws OUTPUT_INVALID for bytes that are no picture, cut off, of another size, black, or of a single colour.
 */
export async function readPicture(bytes: Buffer, wish: PictureWish = {}): Promise<PictureFacts> {
  const pixels = await decode(bytes, wish)
  const { width, height } = pixels
  checkSize(pixels, wish)
  // Black is looked for first: it names the cause (a decoder that gave no numbers) better than "one colour".
  if (isBlack(pixels)) throw unusable('it is black all over')
  if (isFlat(pixels)) throw unusable('it has the same colour all over')
  const side = wish.thumbnailSide ?? 0
  const [pixels256, thumbnail] = await Promise.all([
    sha256Aside(toRgba(pixels)),
    side > 0 ? shrink(pixels, side) : undefined,
  ])
  const pixelSha256 = sha256(`${width}x${height}:${pixels256}`)
  return { width, height, pixelSha256, ...(thumbnail && { thumbnail }) }
}

function checkSize(found: { width: number; height: number }, wish: PictureWish): void {
  const wanted = { width: wish.width ?? found.width, height: wish.height ?? found.height }
  if (found.width === wanted.width && found.height === wanted.height) return
  throw unusable(`it has ${found.width}×${found.height} pixels instead of ${wanted.width}×${wanted.height}`)
}

interface Pixels {
  width: number
  height: number
  data: Buffer
  /** 8 bit each; alpha only where the picture has it, because shrinking takes twice as long with it. */
  channels: 3 | 4
}

/** One that is larger than the wanted picture is refused by its header, before it takes memory. */
async function decode(bytes: Buffer, wish: PictureWish): Promise<Pixels> {
  if (!pictureFormat(bytes)) throw await refusal(bytes, wish)
  const { width = Infinity, height = Infinity } = wish
  const limitInputPixels = Math.min(width * height, picturePixelsMax)
  try {
    // Warnings (an odd colour profile) do no harm to the pixels; errors and missing data do.
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data, channels: info.channels === 4 ? 4 : 3 }
  } catch (thrown) {
    throw await refusal(bytes, wish, thrown)
  }
}

/** Why bytes are not the wanted picture, as far as their header tells. */
async function refusal(bytes: Buffer, wish: PictureWish, thrown?: unknown): Promise<Error> {
  try {
    checkSize(await sharp(bytes, { limitInputPixels: picturePixelsMax }).metadata(), wish)
  } catch (error) {
    if (error instanceof FoundryError) return error
    return unusable(bytes.length === 0 ? 'it is empty' : 'its bytes are not a picture', error)
  }
  if (thrown === undefined) return unusable('it is none of png, jpeg, webp')
  return unusable(`it cannot be decoded (${firstLine(reasonOf(thrown))})`, thrown)
}

/** A picture is flat when it equals itself, moved by one pixel: one comparison of memory. */
function isFlat({ data, channels }: Pixels): boolean {
  return data.subarray(channels).equals(data.subarray(0, data.length - channels))
}

/** Ends at the first bright pixel, so nearly always at once. */
function isBlack({ data, channels }: Pixels): boolean {
  for (let at = 0; at < data.length; at++) {
    if (at % channels !== 3 && (data[at] ?? 0) > blackLevelMax) return false
  }
  return true
}

/**
 * Four pixels at a time, from three words to four: a third of the time of byte by byte. Words have their lowest byte first, as on
 * x86 and ARM.
 */
function toRgba({ data, channels }: Pixels): Buffer {
  if (channels === 4) return data
  const bytes = data.byteOffset % 4 === 0 ? data : Buffer.from(Uint8Array.from(data).buffer)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, 3 * Math.floor(bytes.length / 12))
  const rgba = new Uint32Array(bytes.length / 3)
  let to = 0
  for (let from = 0; from < words.length; from += 3) {
    const first = words[from] ?? 0
    const second = words[from + 1] ?? 0
    const third = words[from + 2] ?? 0
    rgba[to] = first | opaque
    rgba[to + 1] = (first >>> 24) | (second << 8) | opaque
    rgba[to + 2] = (second >>> 16) | (third << 16) | opaque
    rgba[to + 3] = (third >>> 8) | opaque
    to += 4
  }
  for (let from = words.length * 4; from < bytes.length; from += 3) rgba[to++] = bytes.readUIntLE(from, 3) | opaque
  return Buffer.from(rgba.buffer)
}
const opaque = 0xff000000

async function shrink({ data, width, height, channels }: Pixels, side: number): Promise<Buffer> {
  return await sharp(data, { raw: { width, height, channels } })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: 'white' })
    // WebP would take longer than all the rest, and save a tenth.
    .jpeg({ quality: 80 })
    .toBuffer()
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}

function unusable(reason: string, cause?: unknown) {
  return failure('OUTPUT_INVALID', { reason }, cause)
}
