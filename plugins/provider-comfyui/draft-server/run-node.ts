import { pythonText } from './cast-literal.js'
import { isServerLink, type DraftGraph } from './graph.js'
import type { CachedNode, NodeRun } from './job-place.js'
import { blendLooks, isLook } from './look.js'
import {
  NodeException,
  type NodeDefinition,
  type NodeResult,
  type RunningNode,
  type StepPace,
} from './node-definition.js'
import { previewFrames, textFrame } from './binary-frames.js'
import { savePictures } from './save-pictures.js'

/** Runs one node and tells the client of it. Rejects with what the node raised. */
export async function runNode(run: NodeRun, id: string): Promise<CachedNode> {
  const { place, clientId, board, job, graph } = run
  checkInterrupt(run)
  board.start(id)
  if (clientId !== undefined) {
    place.hub.running = { clientId, node: id }
    place.hub.send(clientId, 'executing', { node: id, display_node: id, prompt_id: job.promptId })
  }
  const node = graph[id]
  const definition = place.catalogue.find(node?.class_type ?? '')
  if (!node || !definition) throw new NodeException('KeyError', id)
  if (definition.loadsModel) await place.loadModels(graph, run.pace)

  const running = toRunningNode(run, id, inputsOf(run, id))
  const { outputs, ui } = definition.evaluate ? await definition.evaluate(running) : blended(definition, running)
  run.signal.throwIfAborted()
  if (definition.isOutput) await run.pace.end()
  if (ui && clientId !== undefined) {
    place.hub.send(clientId, 'executed', { node: id, display_node: id, output: ui, prompt_id: job.promptId })
  }
  run.executed.push(id)
  board.finish(id)
  const meta = { node_id: id, display_node: id, parent_node: null, real_node_id: id }
  return { outputs, ...(ui && { ui, meta }) }
}

/** The message that ends a job, for whatever its node raised. */
export function failureOf(
  run: NodeRun,
  id: string,
  thrown: unknown,
): { type: 'execution_error' | 'execution_interrupted'; data: Record<string, unknown> } {
  const node = run.graph[id]
  const common = {
    prompt_id: run.job.promptId,
    node_id: id,
    node_type: node?.class_type ?? '',
    executed: run.executed,
  }
  if (thrown instanceof Interrupted) return { type: 'execution_interrupted', data: common }
  const raised = thrown instanceof NodeException ? thrown : new NodeException('RuntimeError', String(thrown))
  return {
    type: 'execution_error',
    data: {
      ...common,
      exception_message: `${raised.message}\n`,
      exception_type: raised.type,
      traceback: ['  File "execution.py", line 1, in execute\n', `  File "nodes.py", line 1, in ${node?.class_type}\n`],
      current_inputs: shownInputs(run, id),
      current_outputs: Object.keys(run.graph),
    },
  }
}

/** Somebody asked the server to stop the running job. */
class Interrupted extends Error {}

function checkInterrupt({ place, signal }: NodeRun): void {
  signal.throwIfAborted()
  if (place.isInterrupted()) throw new Interrupted()
}

function failIfTold({ place }: NodeRun): void {
  if (!place.fails) return
  if (place.faults.failWith === 'error') throw new NodeException('RuntimeError', 'This draft was told to fail')
  throw new NodeException('torch.OutOfMemoryError', 'Allocation on device would exceed allowed memory. (out of memory)')
}

function blended(definition: NodeDefinition, { inputs }: RunningNode): NodeResult {
  const look = blendLooks(inputs)
  const slots = Math.max(definition.outputs.length, unknownSlots)
  return { outputs: Array.from({ length: slots }, () => look) }
}

/** Outputs of a class that nobody described. */
const unknownSlots = 16

function inputsOf({ graph, finished }: NodeRun, id: string): Record<string, unknown> {
  const inputs: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(graph[id]?.inputs ?? {})) {
    inputs[name] = isServerLink(value) ? finished.get(value[0])?.outputs[value[1]] : value
  }
  return inputs
}

function toRunningNode(run: NodeRun, id: string, inputs: Record<string, unknown>): RunningNode {
  const { place, clientId, job } = run
  return {
    id,
    promptId: job.promptId,
    inputs,
    files: place.facts,
    takeSteps: (steps, pace) => takeSteps(run, id, steps, pace ?? {}),
    sendText: text => place.hub.sendBytes(undefined, textFrame(id, text)),
    async save(look, prefix, type) {
      failIfTold(run)
      const info = job.extraData.extra_pnginfo
      return await savePictures({ look, prefix, type, graph: withFingerprints(run), info }, place.save)
    },
  }

  async function takeSteps(run: NodeRun, id: string, asked: number, own: StepPace): Promise<void> {
    const steps = own.msPerStep === undefined ? run.pace.stepsOf(asked) : asked
    for (let step = 1; step <= steps; step++) {
      checkInterrupt(run)
      await run.pace.step(step, steps, own.msPerStep)
      await own.eachStep?.(step)
      if (step === Math.ceil(steps / 2)) failIfTold(run)
      checkInterrupt(run)
      await tick(run, id, step, steps)
      own.afterTick?.(step)
    }
  }

  async function tick(run: NodeRun, id: string, value: number, max: number): Promise<void> {
    const frames = wantsPreviews(run) ? previewFrames(id, job.promptId, await place.save.maker.preview()) : undefined
    const hasMetadata = place.hub.takesMetadata(clientId)
    run.board.tick(id, value, max)
    if (frames && hasMetadata) place.hub.sendBytes(clientId, frames.withMetadata)
    place.hub.send(clientId, 'progress', { value, max, prompt_id: job.promptId, node: id })
    if (frames && !hasMetadata) place.hub.sendBytes(clientId, frames.plain)
  }
}

const previewMethods = ['auto', 'latent2rgb', 'taesd']

function wantsPreviews({ place, job }: NodeRun): boolean {
  const method = place.traits.hasPreviewMethodPerJob ? job.extraData.preview_method : undefined
  if (typeof method === 'string' && [...previewMethods, 'none'].includes(method)) return previewMethods.includes(method)
  return place.faults.previews
}

/** The graph as it ran: nodes that read files carry the fingerprint of what they read. */
function withFingerprints({ graph, place }: NodeRun): DraftGraph {
  const told = Object.entries(graph).flatMap(([id, node]) => {
    const fingerprint = place.catalogue.find(node.class_type)?.fingerprint?.(node.inputs, place.facts)
    return fingerprint === undefined ? [] : [[id, { ...node, is_changed: [fingerprint] }] as const]
  })
  return told.length === 0 ? graph : { ...graph, ...Object.fromEntries(told) }
}

/** Inputs as an error shows them: numbers and texts as they are, everything else printed, each in a list. */
function shownInputs(run: NodeRun, id: string): Record<string, unknown[]> {
  const node = run.graph[id]
  const hidden = run.place.catalogue.find(node?.class_type ?? '')?.hidden ?? {}
  const shown: Record<string, unknown[]> = {}
  for (const [name, value] of Object.entries(inputsOf(run, id))) shown[name] = [show(value)]
  for (const [name, what] of Object.entries(hidden)) {
    if (what === 'PROMPT') shown[name] = [pythonText(run.graph)]
    if (what === 'EXTRA_PNGINFO') shown[name] = [show(run.job.extraData.extra_pnginfo)]
    if (what === 'UNIQUE_ID') shown[name] = [id]
  }
  return shown
}

function show(value: unknown): unknown {
  if (value === undefined || value === null) return null
  if (isLook(value)) return `tensor(${value.count}x${value.height}x${value.width})`
  return typeof value === 'object' ? pythonText(value) : value
}
