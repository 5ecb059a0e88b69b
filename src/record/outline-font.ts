/** Reads the outlines of a TrueType file: character map, advance widths, glyphs. Nothing else of the format is needed. */

/** Distances in units of the font; y grows downwards, the baseline is 0. */
export interface OutlineFont {
  unitsPerEm: number
  /** The glyph of a code point; undefined where the font has none. */
  glyphOf(codePoint: number): number | undefined
  advanceOf(glyph: number): number
  /** Closed contours of straight lines and quadratic curves. */
  outlineOf(glyph: number): readonly Segment[]
}

export type Segment =
  | { kind: 'move' | 'line'; x: number; y: number }
  | { kind: 'curve'; controlX: number; controlY: number; x: number; y: number }
  | { kind: 'close' }

interface Point {
  x: number
  y: number
  isOnCurve: boolean
}

/** Glyphs made of glyphs made of glyphs: no real font goes deeper. */
const partDepthMax = 4

/** `bytes` is a file that ships with the program, so it is trusted. */
export function readOutlineFont(bytes: Buffer): OutlineFont {
  const tables = readTables(bytes)
  const head = tables('head')
  const widthCount = tables('hhea').readUInt16BE(34)
  const widths = tables('hmtx')
  const glyphByCodePoint = readCharacterMap(tables('cmap'))
  const dataOf = readGlyphPlaces(tables('loca'), tables('glyf'), head.readInt16BE(50) === 1)
  const outlines = new Map<number, readonly Segment[]>()
  return {
    unitsPerEm: head.readUInt16BE(18),
    glyphOf: codePoint => glyphByCodePoint.get(codePoint),
    advanceOf: glyph => widths.readUInt16BE(Math.min(glyph, widthCount - 1) * 4),
    outlineOf(glyph) {
      const known = outlines.get(glyph)
      if (known) return known
      const outline = readContours(glyph, dataOf, 0).flatMap(toSegments)
      outlines.set(glyph, outline)
      return outline
    },
  }
}

function readTables(bytes: Buffer): (tag: string) => Buffer {
  const tables = new Map<string, Buffer>()
  for (let index = 0; index < bytes.readUInt16BE(4); index++) {
    const at = 12 + index * 16
    const start = bytes.readUInt32BE(at + 8)
    tables.set(bytes.toString('latin1', at, at + 4), bytes.subarray(start, start + bytes.readUInt32BE(at + 12)))
  }
  return tag => tables.get(tag) ?? Buffer.alloc(0)
}

/** Format 4: segments of code points in the basic plane. */
function readCharacterMap(cmap: Buffer): Map<number, number> {
  const glyphs = new Map<number, number>()
  const table = cmap.subarray(cmap.readUInt32BE(8))
  const doubled = table.readUInt16BE(6)
  for (let segment = 0; segment < doubled; segment += 2) {
    const end = table.readUInt16BE(14 + segment)
    const start = table.readUInt16BE(16 + doubled + segment)
    const delta = table.readInt16BE(16 + 2 * doubled + segment)
    const rangeAt = 16 + 3 * doubled + segment
    const range = table.readUInt16BE(rangeAt)
    for (let codePoint = start; codePoint <= end && codePoint < 0xffff; codePoint++) {
      const base = range === 0 ? codePoint : table.readUInt16BE(rangeAt + range + 2 * (codePoint - start))
      const glyph = range !== 0 && base === 0 ? 0 : (base + delta) & 0xffff
      if (glyph !== 0) glyphs.set(codePoint, glyph)
    }
  }
  return glyphs
}

function readGlyphPlaces(loca: Buffer, glyf: Buffer, isLong: boolean): (glyph: number) => Buffer {
  const placeOf = (index: number) => (isLong ? loca.readUInt32BE(index * 4) : loca.readUInt16BE(index * 2) * 2)
  return glyph => glyf.subarray(placeOf(glyph), placeOf(glyph + 1))
}

function readContours(glyph: number, dataOf: (glyph: number) => Buffer, depth: number): Point[][] {
  const data = dataOf(glyph)
  if (data.length === 0 || depth > partDepthMax) return []
  const count = data.readInt16BE(0)
  return count < 0 ? readParts(data, dataOf, depth) : readSimple(data, count)
}

function readSimple(data: Buffer, count: number): Point[][] {
  const ends = Array.from({ length: count }, (_, index) => data.readUInt16BE(10 + index * 2))
  const total = (ends.at(-1) ?? -1) + 1
  let at = 10 + count * 2
  at += 2 + data.readUInt16BE(at)
  const flags: number[] = []
  while (flags.length < total) {
    const flag = data.readUInt8(at++)
    const repeats = flag & 8 ? data.readUInt8(at++) : 0
    for (let times = 0; times <= repeats; times++) flags.push(flag)
  }
  const readAxis = (shortBit: number, sameBit: number): number[] => {
    let value = 0
    return flags.map(flag => {
      if (flag & shortBit) value += data.readUInt8(at++) * (flag & sameBit ? 1 : -1)
      else if (!(flag & sameBit)) {
        value += data.readInt16BE(at)
        at += 2
      }
      return value
    })
  }
  const xs = readAxis(2, 16)
  const ys = readAxis(4, 32)
  const points = flags.map((flag, index) => ({ x: xs[index] ?? 0, y: -(ys[index] ?? 0), isOnCurve: (flag & 1) === 1 }))
  return ends.map((end, index) => points.slice((ends[index - 1] ?? -1) + 1, end + 1))
}

/** A glyph made of others, such as é of e and an accent. Parts placed by matching points are not used by the shipped font. */
function readParts(data: Buffer, dataOf: (glyph: number) => Buffer, depth: number): Point[][] {
  const contours: Point[][] = []
  let at = 10
  let flags: number
  do {
    flags = data.readUInt16BE(at)
    const part = data.readUInt16BE(at + 2)
    const isWide = (flags & 1) !== 0
    const dx = isWide ? data.readInt16BE(at + 4) : data.readInt8(at + 4)
    const dy = isWide ? data.readInt16BE(at + 6) : data.readInt8(at + 5)
    at += isWide ? 8 : 6
    const scale = readScale(data, at, flags)
    at += scale.sizeBytes
    const place = ({ x, y, isOnCurve }: Point): Point => ({
      x: scale.xx * x - scale.yx * y + dx,
      y: -scale.xy * x + scale.yy * y - dy,
      isOnCurve,
    })
    contours.push(...readContours(part, dataOf, depth + 1).map(contour => contour.map(place)))
  } while (flags & 0x20)
  return contours
}

function readScale(data: Buffer, at: number, flags: number) {
  const fraction = (offset: number) => data.readInt16BE(at + offset) / 16384
  if (flags & 8) return { xx: fraction(0), xy: 0, yx: 0, yy: fraction(0), sizeBytes: 2 }
  if (flags & 0x40) return { xx: fraction(0), xy: 0, yx: 0, yy: fraction(2), sizeBytes: 4 }
  if (flags & 0x80) return { xx: fraction(0), xy: fraction(2), yx: fraction(4), yy: fraction(6), sizeBytes: 8 }
  return { xx: 1, xy: 0, yx: 0, yy: 1, sizeBytes: 0 }
}

/** Between two neighbouring control points lies an unwritten point of the curve, halfway. */
function toSegments(contour: Point[]): Segment[] {
  const start = contour.findIndex(point => point.isOnCurve)
  const first = contour[Math.max(start, 0)]
  if (!first) return []
  const origin = start >= 0 ? first : middle(first, contour.at(-1) ?? first)
  const ring = start >= 0 ? [...contour.slice(start + 1), ...contour.slice(0, start), origin] : [...contour, origin]
  const segments: Segment[] = [{ kind: 'move', x: origin.x, y: origin.y }]
  let control: Point | undefined
  for (const point of ring) {
    if (point.isOnCurve || point === origin) {
      segments.push(control ? curve(control, point) : { kind: 'line', x: point.x, y: point.y })
      control = undefined
    } else {
      if (control) segments.push(curve(control, middle(control, point)))
      control = point
    }
  }
  return [...segments, { kind: 'close' }]
}

function curve(control: Point, to: { x: number; y: number }): Segment {
  return { kind: 'curve', controlX: control.x, controlY: control.y, x: to.x, y: to.y }
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, isOnCurve: true }
}
