import { readdir } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, resolve } from 'node:path'
import { failure, hasErrors, reasonOf, type Problem } from '../errors.js'
import { readBounded, stampAt } from '../files/read-bounded.js'
import { promptsSchema, talentSchema, type PromptsFile, type TalentFile } from '../schema/talent.js'
import { parseDocument, type ParsedDocument } from '../files/document.js'
import { toFileProblem } from './file-problem.js'
import type { LoraFamily } from './lora-family.js'
import { describeLora } from './lora-header.js'
import type { LoraLayout } from './lora-modules.js'
import { readSafetensorsHeader } from './safetensors.js'
import { hashSafetensors, type WeightsHash } from './safetensors-hash.js'
import {
  checkBaseText,
  checkExamples,
  checkLora,
  checkPrompts,
  checkTalentFile,
  checkWeights,
  roleOf,
} from './talents-checks.js'
import { validateDocument } from '../files/validate.js'

/** A LoRA kit as it lies on disk. */
export interface Talent {
  id: string
  role: 'identity' | 'style'
  folder: string
  /** `talent.json`, defaults filled in. */
  file: TalentFile
  prompts: PromptsFile
  /** Absent where the file is missing or cannot be trusted. */
  weights?: TalentWeights
  /** The word that calls an identity. */
  token?: string
  negatives: readonly string[]
  /** Also the errors, for which the kit is not usable. */
  problems: readonly Problem[]
  /** Without an error: only such a kit is rendered with. */
  usable: boolean
}

export interface TalentWeights extends WeightsHash {
  path: string
  family: LoraFamily
  /** The most frequent rank of its layers. */
  rank?: number
  layout: LoraLayout
  hasTextEncoder: boolean
  /** Layers of the model that it changes. */
  modules: number
  /** Layers that ComfyUI passes over without a word. */
  modulesIgnored: number
  /** Made to try the foundry out: a real server is never sent it. */
  isDraft: boolean
}

export interface KitOptions {
  /** Remembers the hashes of large files. */
  index?: { hashOf(path: string): Promise<WeightsHash> }
  /** Problems name their files relative to this folder, by default the working folder, where they lie in it. */
  root?: string
}

/**
 * Reads one kit whole and reports everything that is wrong with it at once. There is no talent where `talent.json`
 * cannot be understood; `problems` then says why. Throws nothing that the files could cause.
 */
export async function readTalent(
  folder: string,
  { index, root = process.cwd() }: KitOptions = {},
): Promise<{ talent?: Talent; problems: Problem[] }> {
  const kit = await openKit(folder, root)
  const described = await readTalentFile(kit)
  const file = described?.file
  const prompts = await readPrompts(kit, file)
  const weights = await readWeights(kit, { described, index })
  await checkRest(kit, file)
  if (!file) return { problems: kit.problems }
  const talent = {
    id: file.id,
    role: roleOf(file.id),
    folder,
    file,
    prompts,
    ...(weights && { weights }),
    ...(file.token !== undefined && { token: file.token }),
    negatives: splitNegatives(file.negatives ?? ''),
    problems: kit.problems,
    usable: !hasErrors(kit.problems),
  }
  return { talent, problems: kit.problems }
}

const jsonBytesMax = 1024 * 1024
const textBytesMax = 64 * 1024
/** Anything as small as this is no LoRA that failed to arrive, but text that stands for one. */
const placeholderBytesMax = 1024

const talentName = 'talent.json'
const promptsName = 'prompts.json'
const weightsName = 'weights.safetensors'
const licenseName = 'LICENSE.txt'
const baseName = 'base.txt'
const examplesName = 'examples'

/** A kit while it is read: its names, and the problems found so far. */
interface Kit {
  folder: string
  /** Names of the files in it. */
  names: ReadonlySet<string>
  problems: Problem[]
  /** What problems call a file of the kit. */
  shown(name: string): string
}

async function openKit(folder: string, root: string): Promise<Kit> {
  const shown = (name: string) => {
    const path = join(folder, name)
    const under = relative(root, path)
    return under.startsWith('..') || isAbsolute(under) ? path : under
  }
  const kit: Kit = { folder, names: new Set(), problems: [], shown }
  const names = await attempt(kit, '', () => namesIn(folder))
  return { ...kit, names: new Set(names) }
}

/** `talent.json` and where each of its fields stands. */
interface Described {
  file: TalentFile
  document: ParsedDocument
}

async function readTalentFile(kit: Kit): Promise<Described | undefined> {
  if (!kit.names.has(talentName)) {
    report(kit, talentName, [error('TALENT_FILE_MISSING', 'is missing: a kit is described by it')])
    return undefined
  }
  const document = await readJson(kit, talentName)
  if (!document) return undefined
  const { value, problems } = validateDocument(talentSchema, document)
  report(kit, talentName, problems)
  if (!value) return undefined
  report(kit, talentName, locate(checkTalentFile(value, basename(resolve(kit.folder))), document))
  return { file: value, document }
}

async function readPrompts(kit: Kit, file: TalentFile | undefined): Promise<PromptsFile> {
  if (!kit.names.has(promptsName)) {
    report(kit, promptsName, [warning('TALENT_PROMPTS_MISSING', 'is missing: the kit adds no words of its own')])
    return {}
  }
  const document = await readJson(kit, promptsName)
  if (!document) return {}
  const { value, problems } = validateDocument(promptsSchema, document)
  report(kit, promptsName, problems)
  if (value && file) report(kit, promptsName, locate(checkPrompts(value, file), document))
  return value ?? {}
}

async function readWeights(
  kit: Kit,
  { described, index }: { described: Described | undefined; index: KitOptions['index'] },
): Promise<TalentWeights | undefined> {
  if (!kit.names.has(weightsName)) {
    report(kit, weightsName, [error('TALENT_WEIGHTS_MISSING', 'is missing: the kit cannot be rendered with')])
    return undefined
  }
  const path = join(kit.folder, weightsName)
  const { header, problems } = await readSafetensorsHeader(path)
  report(kit, weightsName, await explainPlaceholder(path, problems))
  if (!header) return undefined
  const lora = describeLora(header)
  const hash = await attempt(kit, weightsName, () => (index ? index.hashOf(path) : hashWeights(path)))
  if (!hash) return undefined
  report(kit, weightsName, checkLora(lora))
  if (described) {
    const found = checkWeights(described.file, { sizeBytes: hash.sizeBytes, lora })
    report(kit, talentName, locate(found, described.document))
  }
  const { rank, family, layout, hasTextEncoder, modules, modulesIgnored, isDraft } = lora
  const told = { family, layout, hasTextEncoder, modules, modulesIgnored, isDraft }
  return { path, ...hash, ...told, ...(rank && { rank: rank.usual }) }
}

async function hashWeights(path: string): Promise<WeightsHash> {
  return (await hashSafetensors(path)).hash
}

/** Kits are passed around before they are trained, with a line of text in the place of the weights. */
async function explainPlaceholder(path: string, problems: readonly Problem[]): Promise<Problem[]> {
  const stamp = hasErrors(problems) ? await stampAt(path) : undefined
  if (stamp === undefined || stamp.sizeBytes > placeholderBytesMax) return [...problems]
  const [{ message } = { message: '' }] = problems
  return [
    error(
      'TALENT_WEIGHTS_PLACEHOLDER',
      `is a placeholder of ${stamp.sizeBytes} bytes, never sent to a server: ${message}`,
    ),
  ]
}

async function checkRest(kit: Kit, file: TalentFile | undefined): Promise<void> {
  if (!kit.names.has(licenseName)) report(kit, licenseName, [warning('TALENT_LICENSE_MISSING', 'is missing')])
  if (file && kit.names.has(baseName)) {
    const path = join(kit.folder, baseName)
    const read = await attempt(kit, baseName, () => readBounded(path, { sizeBytesMax: textBytesMax }))
    if (read) report(kit, baseName, checkBaseText(read.bytes.toString('utf8'), file))
  }
  if (kit.names.has(examplesName)) {
    const names = await attempt(kit, examplesName, () => namesIn(join(kit.folder, examplesName)))
    if (names) report(kit, examplesName, checkExamples(names))
  }
}

async function readJson(kit: Kit, name: string): Promise<ParsedDocument | undefined> {
  const path = join(kit.folder, name)
  const read = await attempt(kit, name, () => readBounded(path, { sizeBytesMax: jsonBytesMax }))
  return read && parseDocument(read.bytes, { file: kit.shown(name), format: 'json' })
}

/** What a file of the kit fails with is a problem of the kit. */
async function attempt<Value>(kit: Kit, name: string, act: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await act()
  } catch (thrown) {
    kit.problems.push(toFileProblem(thrown, kit.shown(name)))
    return undefined
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (thrown) {
    const reason = (thrown as NodeJS.ErrnoException).code ?? reasonOf(thrown)
    throw failure('FILE_UNREADABLE', { file: folder, reason }, thrown)
  }
}

function report(kit: Kit, name: string, problems: readonly Problem[]): void {
  kit.problems.push(...problems.map(each => ({ ...each, file: kit.shown(name) })))
}

/** Adds line and column of the field that a problem is about. */
function locate(problems: readonly Problem[], document: ParsedDocument): Problem[] {
  return problems.map(each => ({ ...each, ...(each.path !== undefined && document.locate(keysOf(each.path))) }))
}

function keysOf(path: string): (string | number)[] {
  return (path.match(/\w+/g) ?? []).map(key => (/^\d+$/.test(key) ? Number(key) : key))
}

function splitNegatives(text: string): string[] {
  return text
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}

function error(code: string, message: string): Problem {
  return { severity: 'error', code, message }
}

function warning(code: string, message: string): Problem {
  return { severity: 'warning', code, message }
}
