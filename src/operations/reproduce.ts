import { basename, dirname } from 'node:path'
import { failure, FoundryError } from '../errors.js'
import { dispatchFacts, makeGatedJob } from '../farm/gated-job.js'
import { replaceFile } from '../files/durable.js'
import { hashJson, sha256 } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import type { Job } from '../plan/job.js'
import { jobMaker } from '../plan/make-job.js'
import { indexSlots, slotById } from '../plan/slots.js'
import { RenderFailure } from '../plugins/contract.js'
import type { Gates } from '../plugins/run-gates.js'
import { graphChunk, imageSizeBytesMax, readTrace, requestOf, traceChunk } from '../record/carried-record.js'
import { readPngText } from '../record/png-text.js'
import { readRunFile } from '../record/run-folder.js'
import type { RequestPart } from '../schema/trace.js'
import type { ApiGraph } from '../workflow/api-graph.js'
import { logicalGraph } from '../workflow/canonical-graph.js'
import { parseGraph } from '../workflow/parse-graph.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { pathSchema, reachablePath, writablePath } from './reach.js'
import { privateTextsOf } from './private-texts.js'
import { renderProblems } from './render-problems.js'

export const reproduce = defineOperation({
  name: 'reproduce',
  summary: 'Submits the graph of a picture again, from the picture alone, and says whether it is the recorded one',
  route: { method: 'POST', path: '/reproduce' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['image'],
    properties: {
      image: pathSchema,
      output: { ...pathSchema, description: 'Where the new picture goes; beside the old one if absent' },
      dryRun: { type: 'boolean', default: false, description: 'Only compares the graph with the record' },
    },
  },
  async run(foundry, input, caller) {
    const image = await reachablePath(foundry, caller, input.image)
    const { bytes } = await readBounded(image, { sizeBytesMax: imageSizeBytesMax })
    // Before any server is asked: what is wrong with the file is never its fault.
    const request = await checkPicture(image, bytes)
    const job = await jobOfPicture(foundry, request, bytes, basename(image))
    for (const { sha256: each } of job.references ?? []) await foundry.references.read(each)
    const before = await readPixels(foundry, bytes, basename(image))
    const facts = {
      run: request.run,
      slot: request.slot,
      recorded: request.logicalSha256,
      submitted: request.logicalSha256,
    }
    if (input.dryRun) return { ...facts, sameGraph: true }
    const output = await writablePath(foundry, caller, input.output ?? reproducedName(image))
    const rendered = await renderAgain(foundry, job)
    const after = await foundry.pictures.do('pixelSha256', rendered.bytes)
    await replaceFile(output, rendered.bytes)
    return {
      ...facts,
      sameGraph: true,
      samePixels: before === after,
      server: rendered.server,
      submittedSha256: rendered.submittedSha256,
      output,
    }
  },
})

/** The record of a picture that is as it was committed. Throws IMAGE_DAMAGED, IMAGE_UNTRACED, IMAGE_ALTERED. */
async function checkPicture(path: string, bytes: Buffer): Promise<RequestPart> {
  const image = basename(path)
  const record = readTexts(bytes, image).find(each => each.keyword === traceChunk)
  if (!record) throw failure('IMAGE_UNTRACED', { image })
  const request = requestOf(bytes)
  if (!request) throw failure('IMAGE_ALTERED', { image })
  const trace = await readTrace(dirname(path), image)
  const isIts = trace?.request?.run === request.run && trace.request.slot === request.slot
  if (isIts && trace.result?.fileSha256 !== sha256(bytes))
    throw failure('IMAGE_DAMAGED', { image, reason: 'its bytes are not those that its trace records' })
  return request
}

function readTexts(bytes: Buffer, image: string) {
  try {
    return readPngText(bytes)
  } catch (error) {
    throw damaged(image, error)
  }
}

async function readPixels({ pictures }: Foundry, bytes: Buffer, image: string): Promise<string> {
  try {
    return await pictures.do('pixelSha256', bytes)
  } catch (error) {
    throw damaged(image, error)
  }
}

/** What says that a picture is of no use says it of the server that made it; here it is the file's. */
function damaged(image: string, error: unknown): unknown {
  if (!(error instanceof FoundryError) || error.code !== 'OUTPUT_INVALID') return error
  return failure('IMAGE_DAMAGED', { image, reason: String(error.details['reason']) }, error)
}

/** The job of a picture: from the graph inside it, or, where its words are private, from its run and call folder. */
async function jobOfPicture(foundry: Foundry, request: RequestPart, bytes: Buffer, image: string): Promise<Job> {
  const graph = graphOf(bytes)
  const job = graph ? jobFrom(request, graph) : await jobOfRun(foundry, request, image)
  if (graph) await askAgain(foundry.gates, job)
  if (hashJson(logicalGraph(job.graph, job.save)) === request.logicalSha256) return job
  throw graph
    ? failure('IMAGE_ALTERED', { image })
    : failure('SOURCE_CHANGED', { what: `The graph of ${request.slot}` })
}

/** A picture is made again as it was, or not at all: what a gate would redact now is not sent. */
async function askAgain(gates: Gates | undefined, job: Job): Promise<void> {
  const { positive, negative } = job.request
  // The trace has no types: a choice is judged like a text.
  const texts = Object.entries(job.request.parameters ?? {}).filter(([, value]) => typeof value === 'string')
  const parameters = Object.fromEntries(texts.map(([name, value]) => [name, String(value)]))
  const words = { positive: Array.isArray(positive) ? positive : [], negative, parameters }
  const redaction = await gates?.beforeDispatch(dispatchFacts(job, words))
  if (redaction) throw failure('GATE_REFUSED', { gate: 'of this home', reason: 'it has words that are redacted now' })
}

async function jobOfRun(
  { ledger, config, runFolder, gates }: Foundry,
  request: RequestPart,
  image: string,
): Promise<Job> {
  const run = ledger.state.runs.get(request.run)
  if (!run) throw failure('IMAGE_PRIVATE', { image, run: request.run })
  const { run: file } = await readRunFile(runFolder(request.run))
  const slot = slotById(indexSlots(file.plan), request.slot)
  const maker = jobMaker({
    run: request.run,
    plan: file.plan,
    dropSha256: run.accepted.dropSha256,
    models: run.models ?? [],
    privateTexts: await privateTextsOf(run, file, config),
    plugins: request.plugins,
  })
  const job = await makeGatedJob(maker, slot, gates)
  if (!job) throw failure('IMAGE_PRIVATE', { image, run: request.run })
  return job
}

/** What a server says against a job is told as problems of that server. */
async function renderAgain({ farm }: Foundry, job: Job): ReturnType<Foundry['farm']['renderOnce']> {
  if (!(await farm.firstAnswer())) throw failure('SERVER_NONE', { tried: farm.tried() })
  const wanted = job.target.renderer
  if (!farm.renderers().has(wanted)) await farm.look()
  const found = [...farm.renderers()]
  if (!found.includes(wanted)) throw rendererUnfit(farm.addresses(), wanted, found.join(', '))
  try {
    return await farm.renderOnce(job)
  } catch (error) {
    if (!(error instanceof RenderFailure)) throw error
    throw failure('SERVER_UNFIT', { server: farm.addresses().join(', '), problems: renderProblems(error) }, error)
  }
}

function rendererUnfit(servers: readonly string[], wanted: string, found: string) {
  const allowed = wanted === 'draft' ? '--draft' : `a server that is ${wanted}, with --server`
  const message = `The picture was made by the renderer ${wanted}`
  const problem = { severity: 'error', code: 'RENDERER_OTHER', message, found, allowed } as const
  return failure('SERVER_UNFIT', { server: servers.join(', '), problems: [problem] })
}

function jobFrom(request: RequestPart, graph: ApiGraph): Job {
  const {
    renderHash,
    renderer,
    family,
    workflow,
    width,
    height,
    models,
    loras,
    subject,
    template,
    view,
    variation,
    index,
    seed,
    references,
  } = request
  return {
    kind: 'graph',
    id: request.job,
    run: request.run,
    slot: { ordinal: 0, id: request.slot, series: 0, subject, template, view, variation, index, seed },
    renderHash,
    modelSet: '',
    target: { renderer, family, workflow },
    graph,
    save: Object.keys(graph).filter(id => graph[id]?.inputs['filename_prefix'] === ''),
    loras,
    models,
    ...(references && { references }),
    width,
    height,
    isSizeKnown: false,
    isPrivate: false,
    request,
  }
}

function graphOf(bytes: Buffer): ApiGraph | undefined {
  const chunk = readPngText(bytes).find(each => each.keyword === graphChunk)
  if (!chunk) return undefined
  try {
    return parseGraph(JSON.parse(chunk.text), 'picture').graph
  } catch {
    // A damaged chunk: as if there were none.
    return undefined
  }
}

function reproducedName(image: string): string {
  return `${image.replace(/\.[a-z0-9]+$/i, '')}.reproduced.png`
}
