import type { Problem } from '../errors.js'
import { sha256 } from '../files/hash.js'
import type { FileStamp } from '../files/read-bounded.js'
import { readBounded } from '../files/read-bounded.js'
import type { DocumentFormat } from '../files/document-contract.js'
import type { ParsedDocument } from '../files/document.js'
import { JSON_SIZE_BYTES_MAX, parseDocument, YAML_SIZE_BYTES_MAX } from '../files/document.js'
import { toFileProblem } from './file-problem.js'

/** A file that a drop consists of, as it was when it was read. */
export interface DropFile {
  /** Absolute. */
  path: string
  /** Absent when nothing lay there. */
  stamp?: FileStamp
  /** Its own text proves that it is whole: JSON that parses, or YAML with a closing `...` line. */
  isClosed: boolean
}

export interface ReadDocument {
  document: ParsedDocument
  bytes: Buffer
  sha256: string
  stamp: FileStamp
}

/**
 * Reads a JSON or YAML file, told apart by the ending, or by how the text begins. `file` is what problems call it; with a `root` the file must
 * really lie inside. A file that cannot be read is a problem.
 */
export async function readDocument(
  path: string,
  { file, root, sizeBytesMax }: { file: string; root?: string | undefined; sizeBytesMax?: number },
): Promise<ReadDocument | { problem: Problem }> {
  const ending = formatByEnding(path)
  const bound = Math.min(sizeBytesMax ?? Infinity, ending === 'yaml' ? YAML_SIZE_BYTES_MAX : JSON_SIZE_BYTES_MAX)
  try {
    const { bytes, stat } = await readBounded(path, { sizeBytesMax: bound, ...(root !== undefined && { root }) })
    const format = ending ?? formatByContent(bytes)
    return { document: parseDocument(bytes, { file, format }), bytes, sha256: sha256(bytes), stamp: stat }
  } catch (error) {
    return { problem: toFileProblem(error, file) }
  }
}

/** Half of a JSON document leaves open what is meant; half of a YAML document may not, but lacks the last line. */
export function isClosedText({ document, bytes }: ReadDocument): boolean {
  if (document.format === 'json') return document.value !== undefined
  return /(?:^|\n)\.\.\.[ \t\r]*\n?$/.test(bytes.subarray(-closingBytesMax).toString('utf8'))
}

const closingBytesMax = 200
const beginningBytesMax = 1000

function formatByEnding(path: string): DocumentFormat | undefined {
  if (/\.json$/i.test(path)) return 'json'
  return /\.ya?ml$/i.test(path) ? 'yaml' : undefined
}

function formatByContent(bytes: Buffer): DocumentFormat {
  return /^(?:\uFEFF)?\s*(?:[[{]|$)/.test(bytes.subarray(0, beginningBytesMax).toString('utf8')) ? 'json' : 'yaml'
}
