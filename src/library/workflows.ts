import { basename, dirname, join } from 'node:path'
import type { Problem } from '../errors.js'
import type { ApiGraph } from '../schema/api-graph.js'
import type { Binding } from '../schema/binding.js'
import { bindingSchema } from '../schema/binding.js'
import type { ParsedDocument } from '../files/document.js'
import type { LibraryFile } from './library-folder.js'
import { listFiles } from './library-folder.js'
import { nameOf } from './name-of.js'
import { readDocument } from './read-document.js'
import { validateDocument } from '../files/validate.js'
import { parsePath } from '../files/value-path.js'

export interface LibraryWorkflow {
  /** The file's name without its ending. */
  name: string
  path: string
  /** What problems call it. */
  file: string
  graph: ApiGraph
  /** Of the file. */
  graphSha256: string
  /** `<name>.binding.yaml`; absent where there is none, or where it has an error. */
  binding?: Binding
  /** Of that file. */
  bindingSha256?: string
}

/** Makes a graph of a parsed file. All mistakes are returned; the graph is absent where one is an error. */
export type ParseGraph = (value: unknown, file: string) => { graph?: ApiGraph; problems: Problem[] }

const ENDING = /\.(?:json|binding\.ya?ml)$/i
const WORKFLOW_SIZE_BYTES_MAX = 4 * 2 ** 20
const BINDING_SIZE_BYTES_MAX = 256 * 1024

/** The workflows of folders with their bindings, by name. A later folder's replaces an earlier one's of the same name. */
export async function readWorkflows(
  folders: readonly string[],
  parseGraph: ParseGraph,
  isWanted = (_name: string) => true,
): Promise<{ workflows: Map<string, LibraryWorkflow>; problems: Problem[] }> {
  const { files, problems } = await listFiles(folders, name => ENDING.test(name) && isWanted(name))
  const bindingByPath = new Map(files.filter(isBinding).map(file => [stemOf(file), file]))
  const workflows = new Map<string, LibraryWorkflow>()
  for (const file of files.filter(each => !isBinding(each))) {
    const read = await readGraph(file, parseGraph)
    const binding = bindingByPath.get(stemOf(file))
    bindingByPath.delete(stemOf(file))
    const bound = binding && (await readBinding(binding))
    problems.push(...read.problems, ...(bound?.problems ?? []))
    if (read.workflow) workflows.set(read.workflow.name, { ...read.workflow, ...bound?.bound })
  }
  for (const { file } of bindingByPath.values())
    problems.push({
      severity: 'warning',
      code: 'BINDING_UNUSED',
      message: 'no workflow of this name stands beside it',
      file,
    })
  return { workflows, problems }
}

/** One workflow from anywhere, with the binding beside it. Its name is the file's, without its ending. */
export async function readWorkflow(
  path: string,
  parseGraph: ParseGraph,
): Promise<{ workflow?: LibraryWorkflow; problems: Problem[] }> {
  const name = basename(path)
  const { workflows, problems } = await readWorkflows(
    [dirname(path)],
    parseGraph,
    each => stemOfName(each) === stemOfName(name),
  )
  const workflow = workflows.get(stemOfName(name))
  if (workflow || problems.length > 0) return { ...(workflow && { workflow }), problems }
  return { problems: [{ severity: 'error', code: 'FILE_UNREADABLE', message: 'is not there', file: nameOf(path) }] }
}

function isBinding({ name }: LibraryFile): boolean {
  return /\.binding\.ya?ml$/i.test(name)
}

/** What a workflow and its binding have in common. */
function stemOf({ path, name }: LibraryFile): string {
  return join(dirname(path), stemOfName(name))
}

function stemOfName(name: string): string {
  return name.replace(ENDING, '')
}

type Reading = { workflow?: LibraryWorkflow; problems: Problem[] }

async function readGraph({ name, path, file }: LibraryFile, parseGraph: ParseGraph): Promise<Reading> {
  const read = await readDocument(path, { file, sizeBytesMax: WORKFLOW_SIZE_BYTES_MAX })
  if ('problem' in read) return { problems: [read.problem] }
  const { document, sha256 } = read
  if (document.value === undefined) return { problems: document.problems }
  const { graph, problems } = parseGraph(document.value, file)
  const placed = [...document.problems, ...problems.map(problem => placeInGraph(problem, document))]
  if (!graph || document.problems.length > 0) return { problems: placed }
  return { workflow: { name: stemOfName(name), path, file, graph, graphSha256: sha256 }, problems: placed }
}

async function readBinding({ path, file }: LibraryFile): Promise<{
  bound?: Pick<Required<LibraryWorkflow>, 'binding' | 'bindingSha256'>
  problems: Problem[]
}> {
  const read = await readDocument(path, { file, sizeBytesMax: BINDING_SIZE_BYTES_MAX })
  if ('problem' in read) return { problems: [read.problem] }
  const { value: binding, problems } = validateDocument(bindingSchema, read.document)
  return { ...(binding && { bound: { binding, bindingSha256: read.sha256 } }), problems }
}

/** The parser knows paths only; the graph may stand inside a wrapper. */
function placeInGraph(problem: Problem, document: ParsedDocument): Problem {
  if (problem.path === undefined) return problem
  const path = parsePath(problem.path)
  const [plain, ...wrapped] = document.locateAll(
    [[], ['prompt'], ['output']].map(wrapper => ({ path: [...wrapper, ...path], part: 'value' as const })),
  )
  return { ...problem, ...(plain ?? wrapped.find(place => place !== undefined)) }
}
