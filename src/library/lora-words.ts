/** Words that a trainer wrote into the metadata of a LoRA. They come from its owner's pictures and may be private. */
export interface TrainingWords {
  /** The phrase that calls what was trained. */
  trigger?: string
  /** The most frequent tags of the training pictures, most frequent first. */
  tags: readonly string[]
  license?: string
  /** ISO date and time of the end of the training. */
  trainedAt?: string
}

const jsonLengthMax = 8 * 1024 * 1024
const tagsReadMax = 200_000
const tagsMax = 5
const tagLengthMax = 80
const phraseLengthMax = 200

/** Pure. What is missing, damaged or out of bounds is left out. Keys as of kohya's sd-scripts and ModelSpec 1.0.1. */
export function readTrainingWords(metadata: Readonly<Record<string, string>>): TrainingWords {
  const trigger = readPhrase(metadata['modelspec.trigger_phrase'])
  const license = readPhrase(metadata['modelspec.license'])
  const trainedAt = readDate(metadata['ss_training_finished_at'], metadata['modelspec.date'])
  return {
    ...(trigger !== undefined && { trigger }),
    tags: mostFrequent(metadata['ss_tag_frequency'] ?? ''),
    ...(license !== undefined && { license }),
    ...(trainedAt !== undefined && { trainedAt }),
  }
}

/** One line of plain text; trainers write `None` for what is missing. */
function readPhrase(text: string | undefined): string | undefined {
  const plain = toPlain(text ?? '')
  return plain === '' || plain === 'None' || plain.length > phraseLengthMax ? undefined : plain
}

function toPlain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
}

/** `{folder: {tag: count}}`; a tag counts as often as all folders say. */
function mostFrequent(text: string): string[] {
  if (text.length > jsonLengthMax) return []
  const countByTag = new Map<string, number>()
  for (const folder of entriesOf(parse(text)))
    for (const [tag, count] of entriesOf(folder[1])) {
      if (countByTag.size >= tagsReadMax) break
      const plain = toPlain(tag.slice(0, tagLengthMax + 1))
      if (plain === '' || plain.length > tagLengthMax || typeof count !== 'number' || !(count > 0)) continue
      countByTag.set(plain, (countByTag.get(plain) ?? 0) + count)
    }
  const sorted = [...countByTag].sort(([a, aCount], [b, bCount]) => bCount - aCount || (a < b ? -1 : 1))
  return sorted.slice(0, tagsMax).map(([tag]) => tag)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Also what is cut off or was never JSON: there are no tags then.
    return undefined
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

function readDate(finishedAt: string | undefined, date: string | undefined): string | undefined {
  const seconds = Number(finishedAt ?? '')
  const time = seconds > 0 ? seconds * 1000 : Date.parse(/^\d{4}-\d\d-\d\dT/.test(date ?? '') ? (date ?? '') : '')
  const isSane = time > 0 && time < Date.UTC(3000, 0)
  return isSane ? new Date(time).toISOString() : undefined
}
