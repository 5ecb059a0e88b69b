import { failure, FoundryError, type Problem } from '../errors.js'
import type { ParsedDocument } from '../files/document.js'
import { parsePythonJson } from '../files/python-json.js'
import { readBounded } from '../files/read-bounded.js'
import { parsePath } from '../files/value-path.js'
import { nameOf } from '../library/name-of.js'
import { readDocument } from '../library/read-document.js'
import { imageSizeBytesMax } from '../record/carried-record.js'
import { readPngText } from '../record/png-text.js'
import { findWorkflow, type FoundWorkflow } from '../workflow/find-workflow.js'

/** A workflow as it was found in a file. */
export interface WorkflowSource {
  format: FoundWorkflow['format']
  value: Record<string, unknown>
  /** What problems call the file. */
  file: string
  /** The problem with its line, where the file has lines. */
  place(problem: Problem): Problem
}

const sizeBytesMax = 8 * 2 ** 20
/** Chunks that ComfyUI writes into pictures, the graph that was run first. */
const chunks = ['prompt', 'workflow'] as const

/**
 * Reads a JSON file with a workflow in any of the forms that people save, or the workflow that ComfyUI wrote into a PNG.
 * Throws WORKFLOW_UNBOUND with every problem.
 */
export async function readWorkflowSource(path: string, workflow: string): Promise<WorkflowSource> {
  const file = nameOf(path)
  return /\.png$/i.test(path) ? readPicture(path, { file, workflow }) : readFile(path, { file, workflow })
}

interface Naming {
  file: string
  workflow: string
}

async function readFile(path: string, { file, workflow }: Naming): Promise<WorkflowSource> {
  const read = await readDocument(path, { file, sizeBytesMax })
  const problems = 'problem' in read ? [read.problem] : read.document.problems
  if ('problem' in read || problems.length > 0) throw failure('WORKFLOW_UNBOUND', { workflow, problems })
  const { document } = read
  const found = findWorkflow(document.value)
  if (!found) throw failure('WORKFLOW_UNBOUND', { workflow, problems: [noWorkflow(file)] })
  return { ...found, file, place: problem => placeIn(document, found, problem) }
}

async function readPicture(path: string, { file, workflow }: Naming): Promise<WorkflowSource> {
  const texts = await readTexts(path, { file, workflow })
  for (const keyword of chunks) {
    const found = texts.filter(each => each.keyword === keyword).map(each => findWorkflow(parse(each.text)))[0]
    if (found) return { ...found, file, place: problem => problem }
  }
  const message = 'the picture carries no workflow: ComfyUI writes it into a PNG unless it is told not to'
  const problem = { ...noWorkflow(file), message, found: texts.map(each => each.keyword).join(', ') || 'no texts' }
  throw failure('WORKFLOW_UNBOUND', { workflow, problems: [problem] })
}

async function readTexts(path: string, { file, workflow }: Naming) {
  try {
    return readPngText((await readBounded(path, { sizeBytesMax: imageSizeBytesMax })).bytes)
  } catch (error) {
    if (!(error instanceof FoundryError) || error.code !== 'OUTPUT_INVALID') throw error
    const message = `the picture cannot be read: ${String(error.details['reason'])}`
    throw failure('WORKFLOW_UNBOUND', { workflow, problems: [{ ...noWorkflow(file), message }] }, error)
  }
}

/** A chunk that is no JSON is of somebody else's making. Latin-1 chunks may hold UTF-8, as some tools write it. */
function parse(text: string): unknown {
  for (const each of [asUtf8(text), text]) {
    try {
      return parsePythonJson(each)
    } catch {
      // The other reading may be the right one.
    }
  }
  return undefined
}

function asUtf8(text: string): string {
  if (!/^[\0-\xff]*$/.test(text)) return text
  const decoded = Buffer.from(text, 'latin1').toString('utf8')
  return decoded.includes('\uFFFD') ? text : decoded
}

function noWorkflow(file: string): Problem {
  return {
    severity: 'error',
    code: 'WORKFLOW_NOT_GRAPH',
    message: 'no workflow is in this file',
    file,
    allowed: 'a workflow that ComfyUI saved or exported, or a PNG that it made',
  }
}

function placeIn(document: ParsedDocument, { at }: FoundWorkflow, problem: Problem): Problem {
  if (problem.path === undefined) return problem
  return { ...problem, ...document.locate([...at, ...parsePath(problem.path)]) }
}
