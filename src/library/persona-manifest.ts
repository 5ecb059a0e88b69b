import { dirname } from 'node:path'
import type { Problem } from '../errors.js'
import type { PersonaManifest, PersonaManifestEntry } from '../schema/persona-manifest.js'
import type { Mistake } from './call-texts.js'
import { readPersonaText, readTranscript } from './call-texts.js'
import type { PrivacyMode, PrivateText } from './private-text.js'
import type { DropFile } from './read-document.js'
import { toBackdropText, toPersonaText } from './private-text.js'

export interface CallFolder {
  /** Each (call, speaker) once, in the order of the manifest, with words or with the reason why there are none. */
  personas: { call: string; speaker: string; channel?: string; text?: PrivateText; skipped?: string }[]
  /** Each call once, with words or with the reason why there are none. */
  backdrops: { call: string; text?: PrivateText; skipped?: string }[]
  /** They tell field, index, call and speaker, and never a path or a word of a text. */
  problems: Problem[]
  /** Every text that was read, and the place of every one that was not there. */
  files: DropFile[]
}

export interface CallFolderOptions {
  /** Where speakers/ and characters/ lie; without it the folder above the manifest's. */
  runFolder?: string
  /** Further folders in which persona.md files may lie. */
  roots?: readonly string[]
  /** `redact` unless told otherwise. */
  privacy?: PrivacyMode
}

/** Files that are read at the same time. */
const READERS = 8

/**
 * The texts of a call folder, redacted and bounded. An entry whose text is missing is skipped with a warning, the rest
 * goes on; only where no persona has one, or a file changes meanwhile, is there an error.
 */
export async function readCallFolder(
  manifestPath: string,
  manifest: PersonaManifest,
  { runFolder = dirname(dirname(manifestPath)), roots = [], privacy = 'redact' }: CallFolderOptions = {},
): Promise<CallFolder> {
  const { entries, problems } = findDistinct(manifest)
  const files: DropFile[] = []
  const personas = await mapInParallel(entries, async ({ entry, index }) => {
    const { call_id: call, speaker, channel, persona_path: path } = entry
    const read = await readPersonaText(path, { manifestPath, runFolder, roots })
    files.push(...read.files)
    const text = 'text' in read ? toPersonaText(read.text, privacy) : undefined
    if (text?.rejected) problems.push(entryProblem(entry, index, rejected(text.rejected)))
    const persona = { call, speaker, ...(channel !== undefined && { channel }) }
    if (text) return { ...persona, text }
    const mistake = 'text' in read ? emptyText : read.problem
    problems.push(entryProblem(entry, index, mistake))
    return { ...persona, skipped: mistake.message }
  })
  if (!personas.some(persona => 'text' in persona)) problems.push({ ...nothingLeft, file: MANIFEST_NAME })
  const calls = [...new Set(manifest.map(entry => entry.call_id))]
  const backdrops = await mapInParallel(calls, call => readBackdrop(call, { runFolder, privacy, problems, files }))
  return { personas, backdrops, problems: problems.toSorted(byPath), files }
}

const MANIFEST_NAME = 'characters/persona_manifest.json'

const emptyText: Mistake = { severity: 'warning', code: 'PERSONA_TEXT_EMPTY', message: 'the text holds no words' }
const nothingLeft: Mistake = {
  severity: 'error',
  code: 'PERSONA_NONE',
  message: 'no entry has a text that can be read',
}
const duplicate: Mistake = {
  severity: 'warning',
  code: 'PERSONA_DUPLICATE',
  message: 'an entry above has the same call and speaker: the first counts',
}
const ambiguous: Mistake = {
  severity: 'error',
  code: 'PERSONA_NAME_AMBIGUOUS',
  message: 'call and speaker, joined by _, give the same name as those of an entry above',
}

function rejected(kinds: readonly string[]): Mistake {
  const message = `holds personal data (${kinds.join(', ')}), and the privacy gate is set to reject`
  return { severity: 'error', code: 'PERSONAL_DATA', message }
}

interface Entry {
  entry: PersonaManifestEntry
  index: number
}

function findDistinct(manifest: PersonaManifest): { entries: Entry[]; problems: Problem[] } {
  const problems: Problem[] = []
  const callByName = new Map<string, string>()
  const entries = manifest
    .map((entry, index) => ({ entry, index }))
    .filter(({ entry, index }) => {
      const name = `${entry.call_id}_${entry.speaker}`
      const call = callByName.get(name)
      if (call === undefined) callByName.set(name, entry.call_id)
      else problems.push(entryProblem(entry, index, call === entry.call_id ? duplicate : ambiguous))
      return call === undefined
    })
  return { entries, problems }
}

function entryProblem(entry: PersonaManifestEntry, index: number, mistake: Mistake): Problem {
  return {
    ...mistake,
    message: `${mistake.message} (call ${entry.call_id}, speaker ${entry.speaker})`,
    file: MANIFEST_NAME,
    path: `[${index}].persona_path`,
  }
}

type BackdropPlace = Pick<CallFolder, 'problems' | 'files'> & { runFolder: string; privacy: PrivacyMode }

async function readBackdrop(
  call: string,
  { runFolder, privacy, problems, files }: BackdropPlace,
): Promise<CallFolder['backdrops'][number]> {
  const read = await readTranscript(call, runFolder)
  files.push(...read.files)
  const text = 'text' in read ? toBackdropText(read.text, privacy) : undefined
  if (text?.rejected) {
    const mistake = rejected(text.rejected)
    problems.push({ ...mistake, message: `the transcript ${mistake.message} (call ${call})`, file: `speakers/${call}` })
  }
  if (text) return { call, text }
  const mistake: Mistake =
    'problem' in read
      ? read.problem
      : { severity: 'warning', code: 'TRANSCRIPT_EMPTY', message: 'the transcript holds no words: no backdrop' }
  problems.push({ ...mistake, message: `${mistake.message} (call ${call})`, file: `speakers/${call}` })
  return { call, skipped: mistake.message }
}

/** By index of the entry; problems of calls behind those of entries, by name. */
function byPath(a: Problem, b: Problem): number {
  return indexIn(a) - indexIn(b) || ((a.file ?? '') < (b.file ?? '') ? -1 : 1)
}

function indexIn({ path }: Problem): number {
  return Number(/\d+/.exec(path ?? '')?.[0] ?? Number.MAX_SAFE_INTEGER)
}

/** Keeps the order. */
async function mapInParallel<Item, Result>(
  items: readonly Item[],
  make: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  const work = async () => {
    for (const [index, item] of queue) results[index] = await make(item)
  }
  await Promise.all(Array.from({ length: READERS }, work))
  return results
}
