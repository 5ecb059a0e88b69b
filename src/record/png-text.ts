import { crc32, inflateSync } from 'node:zlib'
import { failure, reasonOf } from '../errors.js'

/** What a picture says about itself in words: one text chunk. */
export interface PngText {
  /** 1…79 characters. */
  keyword: string
  text: string
}

export interface PngTextLimits {
  /** Bytes of one text, unpacked. */
  textBytesMax: number
  /** Text chunks in one picture. */
  textsMax: number
}

export const pngTextLimits: PngTextLimits = { textBytesMax: 16 * 1024 * 1024, textsMax: 256 }

/**
 * The texts of a PNG in file order (`tEXt`, `zTXt`, `iTXt`).
 * Throws OUTPUT_INVALID for bytes that are no PNG, a wrong checksum, and texts beyond the limits.
 */
export function readPngText(bytes: Uint8Array, limits: PngTextLimits = pngTextLimits): PngText[] {
  const texts: PngText[] = []
  for (const chunk of pngChunks(bytes)) {
    if (!textTypes.has(chunk.type)) continue
    checkCrc(chunk)
    if (texts.length >= limits.textsMax) throw invalid(`it holds more than ${limits.textsMax} texts`)
    const data = Buffer.from(chunk.data.buffer, chunk.data.byteOffset, chunk.data.length)
    texts.push({ keyword: keywordOf(data), text: textOf(chunk.type, data, limits.textBytesMax) })
  }
  return texts
}

/**
 * The same picture with texts added right after its header, in the given order. Texts of plain Latin letters become
 * `tEXt`, others `iTXt`. The pixels are not touched. Throws OUTPUT_INVALID for bytes that are no PNG.
 */
export function withPngText(bytes: Uint8Array, texts: readonly PngText[]): Buffer {
  pngSize(bytes)
  return Buffer.concat([bytes.subarray(0, pngHeaderEnd), pngTextChunks(texts), bytes.subarray(pngHeaderEnd)])
}

/** The chunks that `withPngText` puts in, for callers that join the parts themselves. */
export function pngTextChunks(texts: readonly PngText[]): Buffer {
  return Buffer.concat(texts.map(textChunk))
}

/** Where texts belong: right after the signature and the header chunk. */
export const pngHeaderEnd = 8 + 25

/** The same picture without the texts of these keywords. Throws OUTPUT_INVALID for bytes that are no PNG. */
export function withoutPngText(bytes: Uint8Array, keywords: readonly string[]): Buffer {
  const kept: Uint8Array[] = [bytes.subarray(0, signature.length)]
  for (const chunk of pngChunks(bytes)) {
    const data = Buffer.from(chunk.data.buffer, chunk.data.byteOffset, chunk.data.length)
    if (!textTypes.has(chunk.type) || !keywords.includes(keywordOf(data))) kept.push(chunk.whole)
  }
  return Buffer.concat(kept)
}

/**
 * The same picture without anything that is written into it, pixels apart, as far as it is whole. Of bytes that are no PNG
 * nothing is left.
 */
export function withoutPngWords(bytes: Uint8Array): Buffer {
  const kept: Uint8Array[] = []
  try {
    for (const chunk of pngChunks(bytes)) if (!wordTypes.has(chunk.type)) kept.push(chunk.whole)
  } catch {
    // Where it is cut off, what stands before the cut is kept.
  }
  return kept.length === 0 ? Buffer.alloc(0) : Buffer.concat([signature, ...kept])
}

/** Width and height in pixels, from the header alone. Throws OUTPUT_INVALID for bytes that are no PNG. */
export function pngSize(bytes: Uint8Array): { width: number; height: number } {
  const header = pngChunks(bytes).next().value
  if (!header || header.type !== 'IHDR' || header.data.length !== 13) throw invalid('it has no PNG header')
  checkCrc(header)
  const view = new DataView(header.data.buffer, header.data.byteOffset)
  return { width: view.getUint32(0), height: view.getUint32(4) }
}

const signature = Buffer.from('89504e470d0a1a0a', 'hex')
const textTypes = new Set(['tEXt', 'zTXt', 'iTXt'])
const wordTypes = new Set([...textTypes, 'eXIf'])

interface Chunk {
  type: string
  data: Uint8Array
  /** Length, type, data and checksum as in the file. */
  whole: Uint8Array
}

function* pngChunks(bytes: Uint8Array): Generator<Chunk, undefined> {
  if (bytes.length < signature.length || !signature.equals(bytes.subarray(0, signature.length))) {
    throw invalid('it is not a PNG')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = signature.length
  while (at < bytes.length) {
    if (at + 12 > bytes.length) throw invalid('it ends inside a chunk')
    const end = at + 12 + view.getUint32(at)
    if (end > bytes.length) throw invalid('it ends inside a chunk')
    const type = Buffer.from(bytes.subarray(at + 4, at + 8)).toString('latin1')
    yield { type, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) }
    if (type === 'IEND') return
    at = end
  }
  throw invalid('its end is missing')
}

function checkCrc({ type, whole }: Chunk): void {
  const stored = new DataView(whole.buffer, whole.byteOffset).getUint32(whole.length - 4)
  if (crc32(whole.subarray(4, -4)) !== stored) throw invalid(`the checksum of its ${type} chunk is wrong`)
}

function keywordOf(data: Buffer): string {
  const end = data.indexOf(0)
  return data.toString('latin1', 0, end < 0 ? data.length : end)
}

function textOf(type: string, data: Buffer, bytesMax: number): string {
  const start = data.indexOf(0) + 1
  if (start === 0) throw invalid(`a ${type} chunk has no keyword`)
  if (type === 'tEXt') return plain(data.subarray(start), bytesMax).toString('latin1')
  if (type === 'zTXt') return unpack(data.subarray(start + 1), bytesMax).toString('latin1')
  const isPacked = data[start] === 1
  const afterLanguage = data.indexOf(0, start + 2) + 1
  const afterTranslation = data.indexOf(0, afterLanguage) + 1
  if (afterLanguage === 0 || afterTranslation === 0) throw invalid('an iTXt chunk is cut short')
  const packed = data.subarray(afterTranslation)
  return (isPacked ? unpack(packed, bytesMax) : plain(packed, bytesMax)).toString('utf8')
}

function plain(data: Buffer, bytesMax: number): Buffer {
  if (data.length > bytesMax) throw invalid(`a text has more than ${bytesMax} bytes`)
  return data
}

function unpack(data: Buffer, bytesMax: number): Buffer {
  try {
    return inflateSync(data, { maxOutputLength: bytesMax })
  } catch (thrown) {
    throw invalid(`a packed text cannot be read (${reasonOf(thrown)})`)
  }
}

function textChunk({ keyword, text }: PngText): Buffer {
  if (!/^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword)) throw invalid(`"${keyword}" cannot name a text`)
  // Only characters that Latin-1 and the PNG standard allow in tEXt; NUL would end the text for some readers.
  const isLatin = /^[\x01-\xff]*$/.test(text)
  const data = isLatin
    ? Buffer.from(`${keyword}\0${text}`, 'latin1')
    : Buffer.concat([Buffer.from(`${keyword}\0\0\0\0\0`, 'latin1'), Buffer.from(text, 'utf8')])
  const chunk = Buffer.alloc(12 + data.length)
  chunk.writeUInt32BE(data.length, 0)
  chunk.write(isLatin ? 'tEXt' : 'iTXt', 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return chunk
}

function invalid(reason: string) {
  return failure('OUTPUT_INVALID', { reason })
}
