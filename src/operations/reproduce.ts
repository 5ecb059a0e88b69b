import { basename } from 'node:path'
import { failure } from '../errors.js'
import { replaceFile } from '../files/durable.js'
import { hashJson } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'
import type { Job } from '../plan/job.js'
import { indexSlots, slotById } from '../plan/slots.js'
import { graphChunk, imageSizeBytesMax, requestOf } from '../record/commit.js'
import { readPicture } from '../record/picture.js'
import { readPngText } from '../record/png-text.js'
import { readRunFile } from '../record/run-folder.js'
import type { RequestPart } from '../schema/trace.js'
import type { ApiGraph } from '../workflow/api-graph.js'
import { logicalGraph } from '../workflow/canonical-graph.js'
import { parseGraph } from '../workflow/parse-graph.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { findRun } from './runs.js'

export const reproduce = defineOperation({
  name: 'reproduce',
  summary: 'Submits the graph of a picture again, from the picture alone, and says whether it is the recorded one',
  route: { method: 'POST', path: '/reproduce' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['image'],
    properties: {
      image: { type: 'string', minLength: 1, maxLength: 4096 },
      output: {
        type: 'string',
        maxLength: 4096,
        description: 'Where the new picture goes; beside the old one if absent',
      },
      dryRun: { type: 'boolean', default: false, description: 'Only compares the graph with the record' },
    },
  },
  async run(foundry, input) {
    const { bytes } = await readBounded(input.image, { sizeBytesMax: imageSizeBytesMax })
    const request = requestOf(bytes)
    if (!request) throw failure('IMAGE_UNTRACED', { image: basename(input.image) })
    const job = await jobOfPicture(foundry, request, bytes, basename(input.image))
    const logicalSha256 = hashJson(logicalGraph(job.graph, job.save))
    const facts = { run: request.run, slot: request.slot, recorded: request.logicalSha256, submitted: logicalSha256 }
    if (logicalSha256 !== request.logicalSha256)
      throw failure('SOURCE_CHANGED', { what: `The graph of ${request.slot}` })
    if (input.dryRun) return { ...facts, sameGraph: true }
    const rendered = await foundry.farm.renderOnce(job)
    const [before, after] = await Promise.all([readPicture(bytes), readPicture(rendered.bytes)])
    const output = input.output ?? reproducedName(input.image)
    await replaceFile(output, rendered.bytes)
    return {
      ...facts,
      sameGraph: true,
      samePixels: before.pixelSha256 === after.pixelSha256,
      server: rendered.server,
      submittedSha256: rendered.submittedSha256,
      output,
    }
  },
})

/** The job of a picture: from the graph inside it, or, where its prompt is private, from its run and call folder. */
async function jobOfPicture(foundry: Foundry, request: RequestPart, bytes: Buffer, image: string): Promise<Job> {
  const graph = graphOf(bytes)
  if (graph) return jobFrom(request, graph)
  const run = findRun(foundry, request.run)
  const { run: file } = await readRunFile(foundry.runFolder(run.accepted.run))
  const slot = slotById(indexSlots(file.plan), request.slot)
  const job = slot && (await foundry.desk.jobOf(run.accepted.run, slot.ordinal))
  if (!job) throw failure('IMAGE_UNTRACED', { image })
  return job
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
