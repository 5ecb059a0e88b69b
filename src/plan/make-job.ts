import { createHash } from 'node:crypto'
import { hashJson } from '../files/hash.js'
import { fillPrivate, joinWords } from '../mixing/clean-words.js'
import type { Fragment, Mix, PlannedWorkflow, RunPlan, Series } from '../schema/run.js'
import type { ModelUse, RequestPart } from '../schema/trace.js'
import type { ApiGraph } from '../workflow/api-graph.js'
import { bindSeed, fitSeed, prepareBinding, type PreparedGraph } from '../workflow/bind.js'
import { logicalGraph } from '../workflow/canonical-graph.js'
import { keepsSize } from '../workflow/keeps-size.js'
import { settledParameters, textParameters } from '../workflow/parameter-values.js'
import { samplerFacts } from '../workflow/sampler-facts.js'
import { modelSetOf, modelsOf } from './affinity.js'
import type { GraphJob, Slot } from './job.js'

export interface JobContext {
  run: string
  plan: RunPlan
  dropSha256: string
  /** Identities of all heavy files of the plan. */
  models: readonly ModelUse[]
  /** By index of series. */
  privateTexts: ReadonlyMap<number, string>
  /** name@version of the plugins that shaped the plan. */
  plugins: readonly string[]
}

export interface JobMaker {
  /** The job of a slot, its words changed where asked; undefined for a slot without anything to render. */
  make(slot: Slot, change?: (text: string) => string): GraphJob | undefined
  /** What a job would say, private words included. */
  wordsOf(slot: Slot): JobWords | undefined
}

export interface JobWords {
  positive: readonly Fragment[]
  negative: readonly Fragment[]
  /** Texts that parameters are set to, by their names. */
  parameters: Readonly<Record<string, string>>
}

/** What the slots of one view and variation share. */
interface Prepared {
  mix: Mix
  series: Series
  workflow: PlannedWorkflow
  graph: PreparedGraph
  models: ModelUse[]
  modelSet: string
  request: Omit<RequestPart, 'slot' | 'job' | 'renderHash' | 'index' | 'logicalSha256' | 'seed' | 'fittedSeed'>
  isPrivate: boolean
  isSizeKnown: boolean
  words: JobWords
}

/** As many as servers may be at work on different ones. */
const preparedMax = 64

/**
 * Makes jobs from slots. Pure but for remembering some views and variations, since the slots of one differ in their seed only.
 * The same slot gives the same job on any machine.
 */
export function jobMaker(context: JobContext): JobMaker {
  const known = new Map<string, Prepared>()
  const preparedFor = (slot: Slot): Prepared | undefined => {
    const key = `${slot.series} ${slot.view} ${slot.variation}`
    const prepared = known.get(key) ?? prepare(context, slot)
    if (!prepared) return undefined
    // The one used last stands last.
    known.delete(key)
    known.set(key, prepared)
    const [oldest] = known.keys()
    if (known.size > preparedMax && oldest !== undefined) known.delete(oldest)
    return prepared
  }
  return {
    make(slot, change) {
      const prepared = change ? prepare(context, slot, change) : preparedFor(slot)
      return prepared && finish(context, prepared, slot)
    },
    wordsOf: slot => preparedFor(slot)?.words,
  }
}

/**
 * Canonical UUID (version 5 layout, SHA-1) of a job's attempt: after any crash the server can be asked for it.
 * `nonce` is the run's own, so that two homes, or a run removed and accepted again, never share an id on one server.
 */
export function promptIdOf(nonce: string, job: string, attempt: number): string {
  const hash = createHash('sha1').update(`persona-foundry/prompt/${nonce}/${job}/${attempt}`).digest()
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

function prepare(context: JobContext, slot: Slot, change?: (text: string) => string): Prepared | undefined {
  const { plan } = context
  const series = plan.series[slot.series]
  const workflow = series && plan.workflows[series.workflow]
  const mix = series?.mixes[series.views.indexOf(slot.view) * series.variations.length + slot.variation]
  if (!series || !workflow || !mix) return undefined
  // The schema of the plan keeps graphs open; they were parsed as API graphs when the plan was made.
  const source = workflow.graph as ApiGraph
  const text = context.privateTexts.get(slot.series) ?? ''
  const changed = (words: readonly Fragment[]) =>
    change ? words.map(each => ({ ...each, text: change(each.text) })) : [...words]
  const positive = changed(fillPrivate(mix.positive, { persona: text, transcript: text }))
  const negative = changed(mix.negative)
  const settled = settledParameters(workflow.binding, series.parameters?.[slot.variation])
  const texts = textParameters(workflow.binding, settled, change)
  const parameters = { ...settled, ...texts }
  const graph = prepareBinding(source, workflow.binding, {
    parameters,
    references: (series.references ?? []).map(({ sha256 }) => sha256),
    positive: joinWords(positive),
    negative: joinWords(negative),
    width: series.width,
    height: series.height,
    loras: mix.loras.map(lora => ({
      id: lora.talent,
      name: `talent:${lora.talent}`,
      modelWeight: lora.effective,
      clipWeight: lora.effective,
      hasTextEncoder: lora.hasTextEncoder,
    })),
  })
  const models = modelsOf(workflow, context.models)
  const isPrivate = mix.positive.some(fragment => fragment.private)
  return {
    mix,
    series,
    workflow,
    graph,
    models,
    modelSet: modelSetOf(models),
    isPrivate,
    words: { positive, negative, parameters: texts },
    // A hosted service rounds sides as it likes.
    isSizeKnown: workflow.binding.renderer === undefined && keepsSize(source, workflow.binding),
    request: {
      run: context.run,
      subject: slot.subject,
      template: slot.template,
      view: slot.view,
      variation: slot.variation,
      renderer: plan.renderer,
      family: workflow.family,
      workflow: workflow.name,
      graphSha256: workflow.graphSha256,
      bindingSha256: workflow.bindingSha256,
      dropSha256: context.dropSha256,
      positive: isPrivate ? hashedWords(positive) : changed(mix.positive),
      negative,
      width: series.width,
      height: series.height,
      sampler: { ...samplerFacts(graph.graph, workflow.binding) },
      sliders: mix.sliders,
      ...(Object.keys(parameters).length > 0 && { parameters }),
      ...(mix.palette && { palette: mix.palette }),
      ...(mix.finish !== undefined && { finish: mix.finish }),
      loras: mix.loras,
      ...(series.references && { references: series.references }),
      ...(mix.leftOut && { leftOut: mix.leftOut }),
      models,
      plugins: [...context.plugins],
    },
  }
}

function finish(context: JobContext, prepared: Prepared, slot: Slot): GraphJob {
  const { workflow, series, mix, models, request } = prepared
  const graph = bindSeed(prepared.graph, slot.seed)
  const fittedSeed = fitSeed(workflow.binding, slot.seed)
  const logical = logicalGraph(graph, workflow.binding.save)
  const renderHash = hashJson({
    renderer: context.plan.renderer,
    family: workflow.family,
    graph: logical,
    loras: mix.loras.map(({ talent, weightsSha256 }) => [talent, weightsSha256]),
    models: models.map(({ folder, name, identity }) => [folder, name, identity]),
    size: [series.width, series.height],
    seed: slot.seed,
  })
  const id = jobId(context.run, slot.id, renderHash)
  return {
    kind: 'graph',
    id,
    run: context.run,
    slot,
    renderHash,
    modelSet: prepared.modelSet,
    target: { renderer: context.plan.renderer, family: workflow.family, workflow: workflow.name },
    graph,
    save: workflow.binding.save,
    loras: mix.loras,
    models,
    ...(series.references && { references: series.references }),
    width: series.width,
    height: series.height,
    isSizeKnown: prepared.isSizeKnown,
    isPrivate: prepared.isPrivate,
    request: {
      ...request,
      slot: slot.id,
      job: id,
      renderHash,
      index: slot.index,
      logicalSha256: hashJson(logical),
      seed: slot.seed,
      ...(fittedSeed !== slot.seed && { fittedSeed }),
    },
  }
}

/** `j` + 26 characters of base32: safe in file names, prefixes and URLs. */
function jobId(run: string, slot: string, renderHash: string): string {
  const hash = createHash('sha256').update(`${run}\n${slot}\n${renderHash}`).digest()
  let bits = ''
  for (const byte of hash.subarray(0, 17)) bits += byte.toString(2).padStart(8, '0')
  let text = 'j'
  for (let at = 0; at < 130; at += 5) text += base32.charAt(Number.parseInt(bits.slice(at, at + 5), 2))
  return text
}
const base32 = 'abcdefghijklmnopqrstuvwxyz234567'

/** Private words are represented by the hash of the whole prompt and where its parts come from. */
function hashedWords(positive: readonly Fragment[]): RequestPart['positive'] {
  const sha256 = createHash('sha256').update(joinWords(positive)).digest('hex')
  return { sha256, sources: positive.map(fragment => fragment.source) }
}
