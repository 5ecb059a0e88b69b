import { dirname, isAbsolute, join, posix, relative } from 'node:path'
import { failure, type Problem } from '../errors.js'
import { confineReal, toPosix } from '../files/confined-path.js'
import { describeValue } from '../files/describe-value.js'
import type { ParsedDocument } from '../files/document.js'
import { readBounded, stampAt } from '../files/read-bounded.js'
import type { Reference } from '../schema/reference.js'
import { checkReference } from './check-reference.js'
import { toFileProblem } from './file-problem.js'
import { nameOf } from './name-of.js'
import type { DropFile } from './read-document.js'

export const referenceSizeBytesMax = 20 * 1024 * 1024

/** A reference picture, as it lay there when it was read. */
export interface ReferenceFile extends Reference {
  /** Absolute. */
  path: string
}

export interface ReferencesReading {
  references: ReferenceFile[]
  problems: Problem[]
  /** Those that may be followed, readable or not. */
  files: DropFile[]
}

/** The pictures that a drop names, from where it lies and inside of `root`. All problems at once, each at its place in the drop. */
export async function readNamedReferences(
  names: readonly string[] = [],
  { document, path, root }: { document: ParsedDocument; path: string; root: string },
): Promise<ReferencesReading> {
  const reading: ReferencesReading = { references: [], problems: [], files: [] }
  for (const [index, name] of names.entries()) {
    const place = {
      file: document.file,
      ...document.locate(['references', index]),
      path: `references[${index}]`,
    }
    const found = describeValue(name, { isHidden: false })
    const inRoot = posix.join(toPosix(relative(root, dirname(path))), toPosix(name))
    try {
      if (isAbsolute(name) || /^([a-z]:|[\\/])/i.test(name)) throw failure('PATH_ESCAPES', { path: name, root })
      await confineReal(root, inRoot)
    } catch (error) {
      reading.problems.push({ ...toFileProblem(error, document.file), found, ...place })
      continue
    }
    await readInto(reading, { path: join(root, inRoot), root, place, found })
  }
  return reading
}

/** The pictures that somebody names on the command line or over the API. All problems at once. */
export async function readAskedReferences(paths: readonly string[] = []): Promise<ReferencesReading> {
  const reading: ReferencesReading = { references: [], problems: [], files: [] }
  for (const path of paths) await readInto(reading, { path, place: { file: nameOf(path) } })
  return reading
}

interface Wanted {
  path: string
  root?: string
  place: Pick<Problem, 'file' | 'line' | 'path'>
  /** How the drop names it. */
  found?: string
}

/** One after the other: only one is held in memory. */
async function readInto(reading: ReferencesReading, { path, root, place, found }: Wanted): Promise<void> {
  const bounds = { sizeBytesMax: referenceSizeBytesMax, ...(root !== undefined && { root }) }
  const named = found === undefined ? {} : { found }
  try {
    const { bytes, stat } = await readBounded(path, bounds)
    const checked = await checkReference(bytes)
    const isFit = 'sha256' in checked
    reading.files.push({ path, stamp: stat, isClosed: isFit })
    if (isFit) reading.references.push({ ...checked, path })
    else reading.problems.push({ severity: 'error', ...named, ...checked, ...place })
  } catch (error) {
    const stamp = await stampAt(path)
    reading.files.push({ path, ...(stamp && { stamp }), isClosed: false })
    reading.problems.push({ ...named, ...toFileProblem(error, ''), ...place })
  }
}
