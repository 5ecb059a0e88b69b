/**
 * Text as SVG outlines, in a font that ships with the program: it looks the same on every machine, also on one without fonts,
 * and no character of the text ever meets a parser of markup.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type OutlineFont, readOutlineFont } from './outline-font.js'

export type TextWeight = 'regular' | 'semibold'

export interface TextStyle {
  /** Pixels of the em; capitals are 0.73 of it high. */
  size: number
  weight?: TextWeight
  /** Added between letters, in ems. */
  tracking?: number
}

export interface TextPlace {
  /** Pixels; `y` is the baseline. */
  x: number
  y: number
  anchor?: 'start' | 'middle' | 'end'
}

/** Characters of a text that are looked at; the rest is never drawn. */
export const textLengthMax = 2000
const ellipsis = '…'
const missingLetter = '□'.codePointAt(0) ?? 0

/** The `d` attribute of one SVG path with the outlines of `text`, on one line. Letters that the font lacks become boxes. */
export function textPath(text: string, style: TextStyle, place: TextPlace): string {
  const font = fontOf(style.weight)
  const scale = style.size / font.unitsPerEm
  const before = { start: 0, middle: 0.5, end: 1 }[place.anchor ?? 'start'] * textWidth(text, style)
  let x = place.x - before
  let path = ''
  for (const glyph of glyphsOf(cleanText(text), font)) {
    path += glyphPath(font, glyph, { x, y: place.y, scale })
    x += font.advanceOf(glyph) * scale + (style.tracking ?? 0) * style.size
  }
  return path
}

/** Pixels from the first letter to the end of the last one. */
export function textWidth(text: string, style: TextStyle): number {
  const font = fontOf(style.weight)
  const glyphs = glyphsOf(cleanText(text), font)
  const advance = glyphs.reduce((sum, glyph) => sum + font.advanceOf(glyph), 0)
  return (advance / font.unitsPerEm) * style.size + Math.max(glyphs.length - 1, 0) * (style.tracking ?? 0) * style.size
}

/** The text itself where it fits into `width` pixels, else its beginning and an ellipsis; empty where not even that fits. */
export function elideText(text: string, style: TextStyle, width: number): string {
  const clean = cleanText(text)
  if (textWidth(clean, style) <= width) return clean
  const letters = Array.from(clean)
  let fits = 0
  let tooLong = letters.length
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1
    if (textWidth(letters.slice(0, middle).join('').trimEnd() + ellipsis, style) <= width) fits = middle
    else tooLong = middle
  }
  return fits === 0 ? '' : letters.slice(0, fits).join('').trimEnd() + ellipsis
}

/** Lines of at most `width` pixels, broken at spaces where there are any; the last of `linesMax` lines is elided. */
export function wrapText(text: string, style: TextStyle, room: { width: number; linesMax: number }): string[] {
  const lines: string[] = []
  let words = cleanText(text).split(' ').filter(Boolean)
  while (words.length > 0 && lines.length < room.linesMax - 1) {
    let count = 1
    while (count < words.length && textWidth(words.slice(0, count + 1).join(' '), style) <= room.width) count++
    const line = words.slice(0, count).join(' ')
    // A single word wider than the line is cut, so that every line stays within its room.
    lines.push(count === 1 ? elideText(line, style, room.width) : line)
    words = words.slice(count)
  }
  if (words.length > 0 && room.linesMax > 0) lines.push(elideText(words.join(' '), style, room.width))
  return lines.filter(Boolean)
}

/** One line of bounded length: control characters, direction marks and runs of blanks become one space. */
export function cleanText(text: string, lengthMax = textLengthMax): string {
  const bounded = text.slice(0, lengthMax * 2).normalize('NFC')
  const clean = bounded.replaceAll(/[\p{C}\p{Z}\s]+/gu, ' ').trim()
  return clean.length <= lengthMax ? clean : Array.from(clean).slice(0, lengthMax).join('')
}

function glyphsOf(text: string, font: OutlineFont): number[] {
  return Array.from(text).flatMap(letter => {
    const codePoint = letter.codePointAt(0) ?? 0
    // A letter with an unknown accent is drawn without it; a lone unknown accent is left out.
    const plain = letter.normalize('NFD').codePointAt(0) ?? 0
    const glyph = font.glyphOf(codePoint) ?? font.glyphOf(plain)
    if (glyph !== undefined) return [glyph]
    return /\p{M}/u.test(letter) ? [] : [font.glyphOf(missingLetter) ?? 0]
  })
}

function glyphPath(font: OutlineFont, glyph: number, at: { x: number; y: number; scale: number }): string {
  const place = (x: number, y: number) => `${round(at.x + x * at.scale)} ${round(at.y + y * at.scale)}`
  let path = ''
  for (const segment of font.outlineOf(glyph)) {
    if (segment.kind === 'close') path += 'Z'
    else if (segment.kind === 'curve') {
      path += `Q${place(segment.controlX, segment.controlY)} ${place(segment.x, segment.y)}`
    } else path += (segment.kind === 'move' ? 'M' : 'L') + place(segment.x, segment.y)
  }
  return path
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

const files: Record<TextWeight, string> = { regular: 'inter-regular.ttf', semibold: 'inter-semibold.ttf' }
const fonts = new Map<TextWeight, OutlineFont>()

/** Read at first use and kept: two files of 66 kB. */
function fontOf(weight: TextWeight = 'regular'): OutlineFont {
  const known = fonts.get(weight)
  if (known) return known
  const font = readOutlineFont(readFileSync(join(fontFolder(), files[weight])))
  fonts.set(weight, font)
  return font
}

/** Compiled code lies elsewhere than the fonts, which stay in the source folder of the package. */
function fontFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder)
  return join(folder, 'src', 'record', 'fonts')
}
