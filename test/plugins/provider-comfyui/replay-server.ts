import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApiGraph } from '../../../src/plugins/contract.js'
import { ScriptedServer, sendText } from './scripted-server.js'

interface Step {
  dir: string
  req?: number
  label?: string
  method?: string
  path?: string
  conn?: string
  status?: number
  body?: unknown
}

export interface RecordedPost {
  promptId: string
  label: string
  graph: ApiGraph
  status: number
  /** As it was sent. */
  answer: string
}

/** What a recorded scenario says about its jobs. */
export interface Recording {
  posts: RecordedPost[]
  /** Frames by prompt id, as they were sent, in their order. */
  frames: Map<string, string[]>
  /** The last history entry of each job, as it was sent. */
  histories: Map<string, string>
}

export const versions = ['0.3.64', '0.12.1'] as const
const folder = join(packageRoot(), '..', 'shared', 'recordings')

/** The recording of a scenario such as `03-job-success`; nothing where the recordings are absent. */
export function readRecording(version: string, scenario: string): Recording | undefined {
  const file = join(folder, `comfyui-${version}`, `${scenario}.json`)
  if (!existsSync(file)) return undefined
  const { steps } = JSON.parse(readFileSync(file, 'utf8')) as { steps: Step[] }
  const answers = new Map(steps.filter(step => step.dir === 'http-response').map(step => [step.req, step]))
  const recording: Recording = { posts: [], frames: new Map(), histories: new Map() }
  for (const step of steps) {
    const answer = answers.get(step.req)
    if (step.dir === 'ws-in') addFrame(recording, textOf(step.body))
    else if (step.dir === 'http-request' && answer) addExchange(recording, step, answer)
  }
  return recording
}

/** Serves a recorded scenario: the same answer for each job, then its frames (unless `isMute`), then its history. */
export async function startReplay(recording: Recording, { isMute }: { isMute: boolean }): Promise<ScriptedServer> {
  const server = await ScriptedServer.start()
  if (isMute) server.greets = () => false
  server.answers.set('POST /prompt', ({ body }, response) => {
    const { prompt_id: promptId, client_id: clientId } = JSON.parse(body) as Record<'prompt_id' | 'client_id', string>
    const post = recording.posts.find(each => each.promptId === promptId)
    sendText(response, post?.answer ?? '', post?.status)
    server.history.set(promptId, {})
    for (const frame of recording.frames.get(promptId) ?? []) server.sockets.get(clientId)?.send(frame)
  })
  for (const [promptId, entry] of recording.histories) {
    server.answers.set(`GET /history/${promptId}`, (_, response) =>
      sendText(response, server.history.has(promptId) ? entry : '{}'),
    )
  }
  return server
}

function addExchange(recording: Recording, request: Step, answer: Step): void {
  const { method, path = '', body } = request
  if (method === 'POST' && /^(\/api)?\/prompt$/.test(path)) addPost(recording, { request, answer, body })
  if (method === 'GET' && /^\/history\b/.test(path) && answer.status === 200) addHistory(recording, answer.body)
}

function addHistory(recording: Recording, body: unknown): void {
  const text = textOf(body)
  const entries = typeof body === 'string' ? promptIdsIn(text) : Object.entries(body as object)
  for (const [promptId, entry] of entries) {
    recording.histories.set(promptId, entry === undefined ? text : JSON.stringify({ [promptId]: entry as unknown }))
  }
}

/** A history that is no JSON is kept as it was sent; it holds one job. */
function promptIdsIn(text: string): [string, undefined][] {
  return [...text.matchAll(/^\{"([0-9a-f-]{36})"/g)].map(([, promptId = '']) => [promptId, undefined])
}

function addPost(
  recording: Recording,
  { request, answer, body }: { request: Step; answer: Step; body: unknown },
): void {
  const { prompt, prompt_id: promptId } = (body ?? {}) as { prompt?: ApiGraph; prompt_id?: string }
  const isJob = typeof promptId === 'string' && typeof prompt === 'object' && typeof answer.status === 'number'
  if (!isJob || !answer.status) return
  recording.posts.push({
    promptId,
    label: request.label ?? '',
    graph: prompt,
    status: answer.status,
    answer: textOf(answer.body),
  })
}

function addFrame(recording: Recording, text: string): void {
  const promptId = /"prompt_id": ?"([^"]+)"/.exec(text)?.[1]
  if (promptId === undefined) return
  recording.frames.set(promptId, [...(recording.frames.get(promptId) ?? []), text])
}

/** Bodies that are no JSON, such as those with NaN, are recorded as their text. */
function textOf(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}

function packageRoot(from = dirname(fileURLToPath(import.meta.url))): string {
  return existsSync(join(from, 'package.json')) ? from : packageRoot(dirname(from))
}
