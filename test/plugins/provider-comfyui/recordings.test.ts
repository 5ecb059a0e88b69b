import t from 'tap'
import { openConnection } from '../../../plugins/provider-comfyui/connection.js'
import type { ApiGraph, RenderEvent } from '../../../src/plugins/contract.js'
import { collect, makeHost, makeJob, makeServer } from './make-job.js'
import { readRecording, type RecordedPost, type Recording, startReplay, versions } from './replay-server.js'
import { failureOf, quick } from './start-connection.js'

/** What real servers said, held against what the connection makes of it. */
const { signal } = new AbortController()
const isRecorded = readRecording(versions[0], '03-job-success') !== undefined
const skip = isRecorded ? {} : { skip: 'the recordings are not here' }

const followed = [
  '03-job-success',
  '04-job-stages',
  '05-same-graph-again',
  '06-same-graph-other-prefix',
  '08-batch-of-2',
  '12-coercions',
  '17-runtime-error',
  '18-slow-progress',
  '21-interrupt-by-id',
  '22-interrupt-bare',
  '23-delete-pending',
  '24-queue-clear',
  '26-reconnect-same-client-id',
  '27-reconnect-new-client-id',
  '42-node-expansion',
  '43-nan-json',
  '45-execution-blocker',
  '46-several-outputs',
]

for (const version of versions) {
  for (const scenario of followed) {
    for (const isMute of [false, true]) {
      const title = `${version} ${scenario} ${isMute ? 'by its history' : 'by its frames'}`
      t.test(`follow ends as the server did: ${title}`, skip, t => testEnds(t, { version, scenario, isMute }))
    }
  }

  t.test(`submit takes or refuses as the server did: ${version} 11-validation-errors`, skip, async t => {
    const recording = readRecording(version, '11-validation-errors')
    if (!recording) return
    const server = await startReplay(recording, { isMute: false })
    const connection = await openConnection(makeServer(server.url), makeHost(), quick)
    for (const post of recording.posts) {
      const submitting = connection.submit(jobOf(post), attemptOf(post), signal)
      if (post.status === 200) t.equal((await submitting).promptId, post.promptId, post.label)
      else {
        const expected = refusals[post.label] ?? refusals[`${version} ${post.label}`] ?? defaultRefusal(post)
        t.same(await refusalOf(submitting), expected, post.label)
      }
    }
    await connection.close()
    await server.stop()
  })

  t.test(`submit refuses a graph that is taken in part: ${version} 13-partial-graph`, skip, async t => {
    const recording = readRecording(version, '13-partial-graph')
    const [post] = recording?.posts ?? []
    if (!recording || !post) return
    const server = await startReplay(recording, { isMute: false })
    const connection = await openConnection(makeServer(server.url), makeHost(), quick)
    const failure = await failureOf(connection.submit(jobOf(post), attemptOf(post), signal))
    t.equal(failure.reason, 'invalid-graph')
    t.match(failure.details['problems'], [{ path: '4.upscale_method', found: 'magic', allowed: /lanczos/ }])
    t.same(
      server.callsTo('POST /queue').map(call => call.body),
      [JSON.stringify({ delete: [post.promptId] })],
    )
    await connection.close()
    await server.stop()
  })
}

interface Scenario {
  version: string
  scenario: string
  isMute: boolean
}

async function testEnds(
  t: { equal(found: unknown, wanted: unknown, message: string): boolean; ok(found: unknown, message: string): boolean },
  { version, scenario, isMute }: Scenario,
): Promise<void> {
  const recording = readRecording(version, scenario)
  if (!recording) return
  const server = await startReplay(recording, { isMute })
  const times = { ...quick, firstStatusMs: 20, pollMsMin: 2, pollMs: 40 }
  const connection = await openConnection(makeServer(server.url), makeHost(), times)
  let compared = 0
  for (const post of recording.posts) {
    const expected = expectedEnd(recording, post)
    if (expected === undefined || post.answer.includes('"errors"')) continue
    await connection.submit(jobOf(post), attemptOf(post), signal)
    const events = await collect(connection.follow(attemptOf(post), signal))
    t.equal(endOf(events), expected, `${post.promptId} ${post.label}`)
    compared++
  }
  t.ok(compared > 0, 'jobs were compared')
  await connection.close()
  await server.stop()
}

/** How the recorded history says that a job ended; nothing for jobs without one, and for ids that were used twice. */
function expectedEnd({ histories, posts }: Recording, { promptId, graph, status }: RecordedPost): string | undefined {
  const text = histories.get(promptId)
  if (text === undefined || status !== 200 || posts.filter(post => post.promptId === promptId).length > 1)
    return undefined
  const entry = (JSON.parse(text.replaceAll(/-?\b(NaN|Infinity)\b/g, '0')) as Record<string, RecordedEntry>)[promptId]
  const [type, data] = entry?.status.messages.at(-1) ?? []
  if (type === 'execution_interrupted') return 'interrupted'
  if (type === 'execution_error') return data?.exception_type.includes('Safetensor') ? 'missing-model' : 'node-error'
  const files = saveNodesOf(graph).flatMap(id => entry?.outputs[id]?.images?.map(file => file.filename) ?? [])
  return files.length > 0 ? files.join(' ') : 'no-output'
}

interface RecordedEntry {
  outputs: Record<string, { images?: { filename: string }[] }>
  status: { messages: [string, { exception_type: string }][] }
}

function endOf(events: readonly RenderEvent[]): string {
  const last = events.at(-1)
  if (last?.kind === 'finished') return last.outputs.map(file => file.filename).join(' ')
  return last?.kind === 'failed' ? last.failure.reason : 'nothing'
}

async function refusalOf(submitting: Promise<unknown>): Promise<[string, string[]]> {
  const { reason, details } = await failureOf(submitting)
  const problems = (details['problems'] ?? []) as { code: string; path?: string }[]
  return [reason, problems.map(({ code, path }) => `${path ?? ''} ${code.replace('COMFYUI_', '')}`.trim()).sort()]
}

/** Every node error of the answer, by node, input and type. */
function defaultRefusal({ answer }: RecordedPost): [string, string[]] {
  const { node_errors: nodes } = JSON.parse(answer) as { node_errors: Record<string, { errors: RecordedError[] }> }
  const problems = Object.entries(nodes).flatMap(([id, { errors }]) =>
    errors.map(({ type, extra_info: { input_name: input } }) =>
      [input === undefined ? id : `${id}.${input}`, type.toUpperCase()].join(' '),
    ),
  )
  return ['invalid-graph', problems.sort()]
}

interface RecordedError {
  type: string
  extra_info: { input_name?: string }
}

const refusals: Record<string, [string, string[]]> = {
  'unknown class': ['missing-node', ['2 NODE_MISSING']],
  'unknown class, no title': ['missing-node', ['2 NODE_MISSING']],
  '0.3.64 class_type missing': ['invalid-graph', ['INVALID_PROMPT']],
  '0.12.1 class_type missing': ['invalid-graph', ['MISSING_NODE_TYPE']],
  'empty prompt': ['invalid-graph', ['PROMPT_NO_OUTPUTS']],
  'no output node': ['invalid-graph', ['PROMPT_NO_OUTPUTS']],
  'checkpoint not in list': ['missing-model', ['4.ckpt_name MODEL_MISSING']],
  'V3 combo not in list': ['missing-model', ['1.model_name MODEL_MISSING']],
}

/** A job that is sent as it was recorded: no save nodes, so that every prefix stays. */
function jobOf({ graph }: RecordedPost): ReturnType<typeof makeJob> {
  return makeJob({ graph: withInputs(graph), save: saveNodesOf(graph) })
}

/** Some recorded graphs lack `inputs`, which the type of a graph promises. */
function withInputs(graph: ApiGraph): ApiGraph {
  return Object.fromEntries(Object.entries(graph).map(([id, node]) => [id, { ...node, inputs: node.inputs ?? {} }]))
}

function saveNodesOf(graph: ApiGraph): string[] {
  return Object.entries(graph).flatMap(([id, node]) => (node.class_type === 'SaveImage' ? [id] : []))
}

function attemptOf({ promptId }: RecordedPost): { job: string; number: number; promptId: string } {
  return { job: 'jtest', number: 1, promptId }
}
