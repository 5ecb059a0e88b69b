import {
  type ApiNode,
  type Job,
  type JobProblem,
  isLink,
  plainValue,
  referenceIn,
  RenderFailure,
} from '../../src/plugins/contract.js'
import type { InputRule, Model } from './models.js'

/** What is sent of a job, reference pictures still by their logical names, and everything that keeps it from being sent. */
export interface SentInput {
  model: Model | undefined
  input: Record<string, unknown>
  problems: JobProblem[]
}

interface Known {
  models: ReadonlyMap<string, Model>
  /** Models that the service said to be gone. */
  gone: ReadonlySet<string>
  /** As `YYYY-MM-DD`. */
  today: string
}

const classStart = 'replicate/'
/** Every save node has it; it names no input of a model. */
const savePrefix = 'filename_prefix'
/** In place of a ratio of the list: the one nearest to the size of the job. */
const nearest = 'nearest'

/** Translates the one node of a job. All problems at once, with paths such as `1.inputs.width`. */
export function toSentInput(job: Job, { models, gone, today }: Known): SentInput {
  const nodes = Object.entries(job.graph)
  const [id = '', node] = nodes[0] ?? []
  if (!node || nodes.length !== 1 || !node.class_type.startsWith(classStart)) {
    const message = 'Replicate renders one node, whose class is replicate/<owner>/<name>, and this is another graph'
    return {
      model: undefined,
      input: {},
      problems: [problem('GRAPH_UNFIT', message, { found: node?.class_type ?? 'none' })],
    }
  }
  const name = node.class_type.slice(classStart.length)
  const model = models.get(name)
  if (!model) return { model, input: {}, problems: [unknownModel(name, models)] }
  const problems = [...problemsOfTarget(job), ...problemsOfModel(model, { gone, today })]
  const input: Record<string, unknown> = {}
  for (const [field, written] of Object.entries(node.inputs)) {
    const value = plainValue(written)
    const rule = model.inputs[field]
    const path = `${id}.inputs.${field}`
    if (field === savePrefix || isLeftOut(value, rule)) continue
    if (!rule) problems.push(unknownInput(model, path, field))
    else {
      const sent = translate(value, { rule, field, job })
      problems.push(...problemsOfValue(sent, rule, path), ...problemsOfPictures(sent, { job, rule, path }))
      input[field] = sent
    }
  }
  problems.push(...problemsOfWhole(model, { id, node, input }))
  return { model, input, problems }
}

/** What a job is refused with. Something that is merely gone is told as such. */
export function failureOfProblems(label: string, problems: readonly JobProblem[]): RenderFailure {
  const cause = problems.every(each => each.cause === 'missing-model') ? 'missing-model' : 'invalid-graph'
  return new RenderFailure(cause, `${label}: ${problems.map(each => each.message).join('; ')}`, { problems })
}

/** What the service says when it does not offer a model any more. */
export function retiredMessage({ id, successor }: Model): string {
  const next = successor === undefined ? 'choose another workflow' : `use ${successor} in its place`
  return `Replicate does not offer the model ${id} any more: ${next}`
}

function isLeftOut(value: unknown, rule: InputRule | undefined): boolean {
  if (Array.isArray(value) && value.length === 0) return true
  return value === null || (value === '' && rule !== undefined && rule.isRequired !== true)
}

function translate(value: unknown, { rule, field, job }: { rule: InputRule; field: string; job: Job }): unknown {
  if (rule.isFolded && typeof value === 'number' && rule.maximum !== undefined) return value % (rule.maximum + 1)
  if (field === 'aspect_ratio' && value === nearest) return nearestRatio(rule.enum ?? [], job)
  return value
}

/** Of the ratios in a list; the first one where no size is known. */
function nearestRatio(ratios: readonly string[], { width, height }: Job): string {
  const wanted = Math.log((width || 1) / (height || 1))
  const known = ratios.flatMap(ratio => {
    const [across, down] = ratio.split(':').map(Number)
    return across && down ? [{ ratio, far: Math.abs(Math.log(across / down) - wanted) }] : []
  })
  return known.sort((a, b) => a.far - b.far)[0]?.ratio ?? nearest
}

function problemsOfTarget({ target, loras }: Job): JobProblem[] {
  const problems: JobProblem[] = []
  if (target.renderer !== 'replicate') {
    const [found, allowed] = [target.renderer, 'replicate']
    problems.push(
      problem('RENDERER_OTHER', 'The job is planned for another renderer', { path: 'target.renderer', found, allowed }),
    )
  }
  if (loras.length > 0) {
    const found = loras.map(({ talent }) => talent).join(', ')
    problems.push(problem('LORA_UNFIT', 'A hosted model takes no LoRAs of ours', { path: 'loras', found }))
  }
  return problems
}

function problemsOfModel(model: Model, { gone, today }: Pick<Known, 'gone' | 'today'>): JobProblem[] {
  const isRetired = model.retiredOn !== undefined && model.retiredOn <= today
  if (!isRetired && !gone.has(model.id)) return []
  return [{ ...problem('MODEL_RETIRED', retiredMessage(model), { found: model.id }), cause: 'missing-model' }]
}

function unknownModel(id: string, models: Known['models']): JobProblem {
  const message = `The model ${id} is not known here: describe it under options.models of the server entry`
  const allowed = [...models.keys()].join(', ')
  return { ...problem('MODEL_UNKNOWN', message, { found: id, allowed }), cause: 'missing-model' }
}

function unknownInput(model: Model, path: string, found: string): JobProblem {
  const allowed = Object.keys(model.inputs).join(', ')
  return problem('INPUT_UNKNOWN', `${model.id} has no such input`, { path, found, allowed })
}

function problemsOfValue(value: unknown, rule: InputRule, path: string): JobProblem[] {
  const found = isLink(value) ? 'a link' : (JSON.stringify(value) ?? 'nothing').slice(0, 60)
  const unfit = (allowed: string) => [
    problem('INPUT_UNFIT', 'This value is not allowed here', { path, found, allowed }),
  ]
  if (rule.enum && !rule.enum.includes(value as string)) return unfit(rule.enum.join(', '))
  if (rule.type === 'boolean') return typeof value === 'boolean' ? [] : unfit('true, false')
  if (rule.type === 'uris')
    return Array.isArray(value) && value.every(each => typeof each === 'string') ? [] : unfit('a list of addresses')
  if (rule.type === 'string' || rule.type === 'uri') return typeof value === 'string' ? [] : unfit('a text')
  const { minimum = -Infinity, maximum = Infinity } = rule
  const isKind = rule.type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
  const isWithin = isKind && (value as number) >= minimum && (value as number) <= maximum
  return isWithin ? [] : unfit(`${rule.type === 'integer' ? 'whole numbers' : 'numbers'} ${minimum} to ${maximum}`)
}

/** Reference pictures stand where the model takes pictures, and are those of the job. */
function problemsOfPictures(
  value: unknown,
  { job: { references = [] }, rule, path }: { job: Job; rule: InputRule; path: string },
): JobProblem[] {
  const known = new Set(references.map(({ sha256 }) => sha256))
  const named = [value].flat().flatMap(each => referenceIn(each) ?? [])
  if (named.length === 0) return []
  if (rule.type !== 'uri' && rule.type !== 'uris') return [problem('INPUT_UNFIT', 'No picture belongs here', { path })]
  if (named.every(each => known.has(each))) return []
  return [problem('REFERENCE_UNKNOWN', 'The job does not have this reference picture', { path })]
}

function problemsOfWhole(
  model: Model,
  { id, node, input }: { id: string; node: ApiNode; input: Record<string, unknown> },
): JobProblem[] {
  const missing = Object.entries(model.inputs).filter(([field, rule]) => rule.isRequired && input[field] === undefined)
  const problems = missing.map(([field]) =>
    problem('INPUT_MISSING', `${model.id} needs it`, { path: `${id}.inputs.${field}` }),
  )
  if (model.inputs['output_format'] && input['output_format'] !== 'png') {
    const message = 'Pictures are kept as PNG, with their record inside'
    const found = String(node.inputs['output_format'] ?? 'the default of the model')
    problems.push(problem('FORMAT_UNFIT', message, { path: `${id}.inputs.output_format`, found, allowed: 'png' }))
  }
  const references = Object.entries(model.inputs).flatMap(([field, { type }]) =>
    type === 'uri' || type === 'uris' ? [input[field] ?? []].flat() : [],
  )
  if (references.length > model.referencesMax) {
    const [found, allowed] = [String(references.length), `${model.referencesMax} or fewer`]
    problems.push(
      problem('REFERENCES_TOO_MANY', `${model.id} takes fewer reference pictures`, {
        path: `${id}.inputs`,
        found,
        allowed,
      }),
    )
  }
  return problems
}

function problem(code: string, message: string, more: Partial<JobProblem>): JobProblem {
  return { severity: 'error', code: `REPLICATE_${code}`, message, ...more }
}
