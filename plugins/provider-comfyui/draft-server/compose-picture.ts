import type { DraftPicture } from './draft-picture.js'
import { isRecord } from './graph.js'
import type { Look } from './look.js'
import type { Faults } from './options.js'

/** Where nothing says a size. */
const defaultSide = 512

/**
 * What a saved picture shows: told by the foundry's own record in the request where there is one, else by what the
 * graph reveals. Private text is never passed on.
 */
export function composePicture(look: Look, record: unknown, batchIndex: number): DraftPicture {
  const size = { width: look.width || defaultSide, height: look.height || defaultSide }
  if (!isRecord(record)) {
    return {
      ...size,
      seed: (look.seed ?? 0) + batchIndex,
      isPrivate: false,
      ...(look.words !== undefined && { words: look.words }),
      ...(look.negative !== undefined && { negative: look.negative }),
      ...(look.loras && { loras: look.loras }),
    }
  }
  const words = wordsOf(record.positive)
  const negative = wordsOf(record.negative)
  return {
    ...size,
    ...(look.width === 0 && {
      width: numberOr(record.width, size.width),
      height: numberOr(record.height, size.height),
    }),
    seed: numberOr(record.seed, look.seed ?? 0) + batchIndex,
    isPrivate: words === undefined,
    ...(words !== undefined && { words }),
    ...(negative && { negative }),
    ...texts(record, ['subject', 'template', 'view', 'finish', 'family']),
    ...(isRecord(record.sliders) && { sliders: pick(record.sliders, isNumber) }),
    ...(isRecord(record.palette) && { palette: pick(record.palette, isText) }),
    ...(Array.isArray(record.loras) && { loras: record.loras.flatMap(loraOf) }),
    ...(isNumber(record.index) && { index: record.index }),
  }
}

/** The picture as the faults bend it. `ordinal` counts all pictures of the server from 1. */
export function bendPicture(picture: DraftPicture, faults: Faults, ordinal: number): DraftPicture {
  return faults.driftFrom > 0 && ordinal >= faults.driftFrom ? { ...picture, drift: faults.driftBy } : picture
}

/** Undefined for private text: a hash in place of the words, or fragments marked so. */
function wordsOf(fragments: unknown): string | undefined {
  if (!Array.isArray(fragments)) return undefined
  if (fragments.some(each => isRecord(each) && each.private === true)) return undefined
  return fragments.flatMap(each => (isRecord(each) && isText(each.text) ? [each.text] : [])).join(', ')
}

function loraOf(lora: unknown): { talent: string; effective: number }[] {
  if (!isRecord(lora) || !isText(lora.talent) || !isNumber(lora.effective)) return []
  return [{ talent: lora.talent, effective: lora.effective }]
}

function texts(record: Record<string, unknown>, names: string[]): Record<string, string> {
  return pick(Object.fromEntries(names.map(name => [name, record[name]])), isText)
}

function pick<Value>(
  record: Record<string, unknown>,
  isFit: (value: unknown) => value is Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, Value] => isFit(entry[1])))
}

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isText = (value: unknown): value is string => typeof value === 'string'
const numberOr = (value: unknown, other: number) => (isNumber(value) ? value : other)
