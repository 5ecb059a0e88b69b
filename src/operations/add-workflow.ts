import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packageRoot } from '../config/package-root.js'
import { failure, hasErrors, type Problem } from '../errors.js'
import { makeFolder, removeFile, replaceFile, writeFirst } from '../files/durable.js'
import { validateDocument } from '../files/validate.js'
import { nameOf } from '../library/name-of.js'
import { readDocument } from '../library/read-document.js'
import { RenderFailure } from '../plugins/contract.js'
import { type Binding, bindingSchema } from '../schema/binding.js'
import { families } from '../schema/template.js'
import { nameText } from '../schema/text-forms.js'
import { analyseGraph } from '../workflow/analyse.js'
import type { ApiGraph } from '../workflow/api-graph.js'
import { bindingSnippet } from '../workflow/binding-snippet.js'
import { convertUi } from '../workflow/convert-ui.js'
import { describeBinding, type Finding } from '../workflow/describe-binding.js'
import { parseGraph } from '../workflow/parse-graph.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { pathSchema, reachablePath } from './reach.js'
import { probeWorkflow, type Probed } from './workflow-probe.js'
import { readWorkflowSource, type WorkflowSource } from './workflow-source.js'

export interface AddedWorkflow {
  workflow: string
  format: WorkflowSource['format']
  /** False for a dry run, and where a question must be answered first. */
  isAdded: boolean
  /** What the binding points at. */
  found: Finding[]
  /** Questions, and what was filled in, left out or guessed. */
  problems: Problem[]
  /** The file beside the given one that answers are read from. */
  answersIn: string
  /** What was written, or would be. */
  files: { graph: string; binding: string }
  probe?: Probed
}

export const addWorkflow = defineOperation({
  name: 'workflows.add',
  summary: 'Brings a workflow into the home: converts it, binds it, and renders one picture to prove it',
  route: { method: 'POST', path: '/workflows' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['path'],
    properties: {
      path: { ...pathSchema, description: 'A workflow of ComfyUI in either format, or a PNG that holds one' },
      name: { ...nameText, description: 'What it is called; the name of the file if absent' },
      server: { type: 'string', maxLength: 64, description: 'Server that converts and renders it; any if absent' },
      family: { enum: families },
      replace: { type: 'boolean', default: false, description: 'Also where a workflow of that name is there' },
      probe: { type: 'boolean', default: true, description: 'Render one picture with it' },
      dryRun: { type: 'boolean', default: false },
    },
  },
  async run(foundry, input, caller): Promise<AddedWorkflow> {
    const path = await reachablePath(foundry, caller, input.path)
    const name = nameFrom(input.name ?? basename(path))
    const folder = foundry.config.paths.workflows
    const files = { graph: join(folder, `${name}.json`), binding: join(folder, `${name}.binding.yaml`) }
    refuseUnknownServer(foundry, input.server)
    // Over the API, nothing that exists is replaced.
    const isReplaced = input.replace && caller.reach === 'machine'
    if (!input.dryRun && !isReplaced) refuseTaken(name, files)
    const source = await readWorkflowSource(path, name)
    const { graph, problems } = await toGraph(foundry, source, { workflow: name, server: input.server })
    const answers = await readAnswers(path)
    const hints = { ...answers.binding, ...(input.family !== undefined && { family: input.family }) }
    const analysis = analyseGraph(graph, { hints })
    const { binding } = analysis
    const answer = {
      workflow: name,
      format: source.format,
      isAdded: false,
      found: binding ? describeBinding(graph, binding) : analysis.found,
      problems: [...problems, ...answers.problems, ...analysis.problems],
      answersIn: answers.file,
      files,
    }
    if (!binding || hasErrors(answer.problems) || input.dryRun) return answer
    await write(name, files, { graph, binding, source: source.file, isReplaced })
    foundry.log.info({ workflow: name }, 'workflow added')
    if (!input.probe) return { ...answer, isAdded: true }
    const probe = await probeWorkflow(foundry, { name, graph, binding, server: input.server })
    return { ...answer, isAdded: true, probe }
  },
})

/** A file's name without its endings, in letters that a name may have: a workflow called `x.json` would be taken for a path. */
function nameFrom(file: string): string {
  const name = file
    .replace(/(?:\.(?:json|png))+$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
  if (name !== '') return name
  throw failure('USAGE_INVALID', { problem: `${file} gives no name`, next: 'choose one with --name' })
}

function refuseUnknownServer({ farm }: Foundry, server: string | undefined): void {
  if (server === undefined || farm.has(server)) return
  throw failure('SERVER_UNKNOWN', { server, known: farm.status().map(({ name }) => name) })
}

function refuseTaken(name: string, { graph, binding }: AddedWorkflow['files']): void {
  const shipped = join(packageRoot, 'workflows', `${name}.json`)
  const taken = [graph, binding, shortEnding(binding), shipped].find(file => existsSync(file))
  if (taken !== undefined) throw alreadyNamed(name, taken)
}

/** The other name that a binding is read from. */
function shortEnding(binding: string): string {
  return binding.replace(/\.yaml$/, '.yml')
}

function alreadyNamed(name: string, taken: string) {
  const problem = `A workflow is named "${name}" already (${taken})`
  return failure('USAGE_INVALID', { problem, next: 'choose another name with --name, or add --replace' })
}

async function toGraph(
  foundry: Foundry,
  source: WorkflowSource,
  { workflow, server }: { workflow: string; server: string | undefined },
): Promise<{ graph: ApiGraph; problems: Problem[] }> {
  const { value, file, place } = source
  const isApi = source.format === 'api'
  const parsed = isApi
    ? parseGraph(value, file)
    : convertUi(value, { objectInfo: await nodeClasses(foundry, file, server), file })
  const problems = parsed.problems.map(place)
  if (!parsed.graph) throw failure('WORKFLOW_UNBOUND', { workflow, problems })
  return { graph: parsed.graph, problems }
}

async function nodeClasses({ farm }: Foundry, file: string, server: string | undefined) {
  await farm.firstAnswer()
  try {
    const known = await farm.objectInfo(server)
    if (known) return known.classes
  } catch (error) {
    if (!(error instanceof RenderFailure)) throw error
    throw failure('WORKFLOW_NEEDS_SERVER', { file, tried: [error.message] }, error)
  }
  throw failure('WORKFLOW_NEEDS_SERVER', { file, tried: farm.tried() })
}

const { required: _, ...answersSchema } = { ...bindingSchema, $id: 'binding-answers/1' } as const
const answersSizeBytesMax = 256 * 1024

interface Answers {
  file: string
  binding?: Partial<Binding>
  problems: Problem[]
}

/** `<file>.binding.yaml` beside the given file answers what analysis asks; one field is enough. */
async function readAnswers(path: string): Promise<Answers> {
  const beside = join(dirname(path), `${basename(path).replace(/\.(?:json|png)$/i, '')}.binding.yaml`)
  const file = nameOf(beside)
  if (!existsSync(beside)) return { file, problems: [] }
  const read = await readDocument(beside, { file, sizeBytesMax: answersSizeBytesMax })
  if ('problem' in read) return { file, problems: [read.problem] }
  const { value, problems } = validateDocument(answersSchema, read.document)
  return { file, ...(value && { binding: value }), problems }
}

interface Written {
  graph: ApiGraph
  binding: Binding
  source: string
  isReplaced: boolean
}

/** No crash leaves a binding beside a graph that it is not about: a graph alone is bound by analysis. */
async function write(
  name: string,
  { graph: graphFile, binding: bindingFile }: AddedWorkflow['files'],
  { graph, binding, source, isReplaced }: Written,
): Promise<void> {
  const text = `${JSON.stringify(graph, null, 2)}\n`
  await makeFolder(dirname(graphFile))
  if (isReplaced) {
    for (const file of [bindingFile, shortEnding(bindingFile)]) await removeFile(file)
    await replaceFile(graphFile, text)
  } else if ((await writeFirst(graphFile, text)) === 'different') {
    throw alreadyNamed(name, graphFile)
  }
  const head = `# Which inputs of the graph beside this file are the prompt, the seed, the size, … (found in ${lineOf(source)})\n`
  await replaceFile(bindingFile, `${head}${bindingSnippet(binding)}\n`)
}

/** A file's name on one line, whatever its owner put into it: what follows a line break would be read as YAML. */
function lineOf(file: string): string {
  return basename(file).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}
