import { dirname, join, posix, relative } from 'node:path'
import type { Problem } from '../errors.js'
import { failure, FoundryError } from '../errors.js'
import { confineReal, toPosix } from '../files/confined-path.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import { personaKitSchema } from '../schema/persona-kit.js'
import type { RenderOrder } from '../schema/render-order.js'
import { describeValue } from '../files/describe-value.js'
import type { ParsedDocument } from '../files/document.js'
import { toFileProblem } from './file-problem.js'
import { checkKitFields } from './kit-fields.js'
import { stampAt } from '../files/read-bounded.js'
import { redactProblem } from './privacy.js'
import { readNamedReferences, type ReferenceFile } from './references.js'
import { type DropFile, isClosedText, readDocument } from './read-document.js'
import { validateDocument } from '../files/validate.js'

const KIT_SIZE_BYTES_MAX = 1 << 20
/** All kits of one order together. */
const KITS_SIZE_BYTES_MAX = 64 << 20

export interface OrderedKit {
  /** As the order names it, with `/`. */
  path: string
  kit: PersonaKit
  sha256: string
  references?: readonly ReferenceFile[]
}

interface OrderSource {
  document: ParsedDocument
  /** Of the order, absolute. */
  path: string
  /** What the order may name lies in here. */
  root: string
}

/** The kits of an order, each once. A kit that cannot be used is told at its place in the order or in itself. */
export async function readOrderedKits(
  { personas }: RenderOrder,
  source: OrderSource,
): Promise<{ kits: OrderedKit[]; problems: Problem[]; files: DropFile[] }> {
  const kits: OrderedKit[] = []
  const files: DropFile[] = []
  const problems: Problem[] = []
  const pathByPersona = new Map<string, string>()
  const paths = new Set<string>()
  let sizeBytes = 0
  for (const [index, written] of personas.entries()) {
    const report = (problem: Pick<Problem, 'code' | 'message'> & Partial<Problem>) =>
      void problems.push({ ...placeOf(index, written, source.document), ...problem })
    const path = posix.normalize(toPosix(written))
    if (paths.has(path)) {
      report({ severity: 'warning', code: 'DROP_PERSONA_DUPLICATE', message: 'is named twice: the first counts' })
      continue
    }
    paths.add(path)
    const read = await readKit(path, source)
    files.push(...read.files)
    if ('unreadable' in read) {
      const { message, code } = read.unreadable
      report({ code, message })
      continue
    }
    problems.push(...read.problems)
    sizeBytes += read.sizeBytes
    if (sizeBytes > KITS_SIZE_BYTES_MAX) {
      const allowed = `at most ${KITS_SIZE_BYTES_MAX} bytes`
      report({ code: 'DROP_TOO_LARGE', message: 'the kits up to here are too large together', allowed })
      break
    }
    if (!read.kit) continue
    const other = pathByPersona.get(read.kit.dot_id)
    if (other !== undefined)
      report({ code: 'DROP_PERSONA_DUPLICATE', message: `is the same persona as ${other}: a dot_id stands for one` })
    pathByPersona.set(read.kit.dot_id, path)
    const { kit, sha256, references } = read
    kits.push({ path, kit, sha256, ...(references.length > 0 && { references }) })
  }
  return { kits, problems, files }
}

type KitReading = (
  | { unreadable: Problem }
  | {
      kit: PersonaKit | undefined
      references: readonly ReferenceFile[]
      sha256: string
      sizeBytes: number
      problems: Problem[]
    }
) & {
  /** The kit and what it names; none for a path that must not be followed. */
  files: DropFile[]
}

async function readKit(path: string, { path: orderPath, root }: OrderSource): Promise<KitReading> {
  const underRoot = posix.join(toPosix(relative(root, dirname(orderPath))), path)
  try {
    if (path.startsWith('/') || /^[a-z]:/i.test(path)) throw failure('PATH_ESCAPES', { path, root })
    const real = await confineReal(root, underRoot)
    const read = await readDocument(real, { file: underRoot, root, sizeBytesMax: KIT_SIZE_BYTES_MAX })
    const kitPath = join(root, underRoot)
    if ('problem' in read) return { unreadable: read.problem, files: [await fileAt(kitPath)] }
    const { value, problems: found } = validateDocument(personaKitSchema, read.document)
    const named = await readNamedReferences(value?.references, { document: read.document, path: kitPath, root })
    const { references } = named
    const problems = [...found, ...checkKitFields(read.document), ...named.problems].map(redactProblem)
    const file = { path: kitPath, stamp: read.stamp, isClosed: isClosedText(read) }
    const files = [file, ...named.files]
    return { kit: value, references, sha256: read.sha256, sizeBytes: read.bytes.length, problems, files }
  } catch (error) {
    const unreadable = toFileProblem(error, underRoot)
    const isOutside = error instanceof FoundryError && error.code === 'PATH_ESCAPES'
    return { unreadable, files: isOutside ? [] : [await fileAt(join(root, underRoot))] }
  }
}

async function fileAt(path: string): Promise<DropFile> {
  const stamp = await stampAt(path)
  return { path, ...(stamp && { stamp }), isClosed: false }
}

function placeOf(index: number, written: string, document: ParsedDocument) {
  return {
    severity: 'error' as const,
    file: document.file,
    ...document.locate(['personas', index]),
    path: `personas[${index}]`,
    found: describeValue(written, { isHidden: false }),
  }
}
