import { isDeepStrictEqual } from 'node:util'
import { readPngText } from '../../../../src/record/png-text.js'
import type { Replayed } from './replay.js'
import type { Recording, Step } from './recording.js'

/**
 * Where a replay differs from its recording, one sentence each. What varies between two runs of a real server, and what
 * depends on Python, its libraries and its painting, is taken out of both sides first.
 */
export function compareWithRecording(recording: Recording, seen: Replayed, { looseTicks = false } = {}): string[] {
  const steps = withoutAbsence(recording.steps)
  const normal = createNormalizer(recording, seen)
  return [
    ...compareResponses(steps, seen, normal),
    ...compareFrames(steps, seen, normal, looseTicks),
    ...compareSockets(steps, seen),
  ]
}

/** What happened while the server was killed has no counterpart. */
function withoutAbsence(steps: readonly Step[]): Step[] {
  let isAway = false
  return steps.filter(step => {
    if (step.dir === 'note' && step.text?.startsWith('SIGKILL')) isAway = true
    if (step.dir === 'note' && step.text?.startsWith('restart')) isAway = false
    return !isAway && step.status !== null
  })
}

const tempName = /ComfyUI_temp_[a-z]{5}/g

type Normalize = (value: unknown) => unknown

function compareResponses(steps: readonly Step[], seen: Replayed, normal: Normalize): string[] {
  const differences: string[] = []
  for (const recorded of steps.filter(step => step.dir === 'http-response')) {
    const req = recorded.req ?? 0
    const asked = steps.find(step => step.dir === 'http-request' && step.req === req)
    const what = `request ${req} (${asked?.method} ${asked?.path})`
    const got = seen.responses.get(req)
    if (!got) {
      differences.push(`${what}: no answer`)
      continue
    }
    const differ = (part: string, wanted: unknown, found: unknown) => {
      const difference = firstDifference(wanted, found)
      if (difference) differences.push(`${what}: ${part}${difference}`)
    }
    differ('status', recorded.status, got.status)
    differ('headers', shownHeaders(recorded.headers ?? {}), shownHeaders(pick(got.headers, recorded.headers ?? {})))
    const arrange = asked?.path?.includes('sort_by=execution_duration') ? byJobId : (body: unknown) => body
    differ('body', arrange(normal(recorded.body)), arrange(normal(parseBody(got.bytes, recorded.body))))
  }
  return differences
}

/** How long jobs took is another matter here and there. */
function byJobId(body: unknown): unknown {
  const { jobs } = body as { jobs: { id: string }[] }
  return { ...(body as object), jobs: jobs.sort((a, b) => (a.id < b.id ? -1 : 1)) }
}

/** Values of headers that follow the clock or the bytes of a picture are only asked to be there. */
function shownHeaders(headers: Record<string, string>): Record<string, string> {
  const varying = ['etag', 'last-modified', 'content-length', 'transfer-encoding', 'content-range']
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name !== 'transfer-encoding')
      .map(([name, value]) => [name, varying.includes(name) ? '*' : value.replaceAll(tempName, 'ComfyUI_temp_*')]),
  ) as Record<string, string>
}

function pick(headers: Record<string, string>, wanted: Record<string, string>): Record<string, string> {
  const known = ['content-type', ...Object.keys(wanted)]
  return Object.fromEntries(Object.entries(headers).filter(([name]) => known.includes(name)))
}

function parseBody(bytes: Buffer, like: unknown): unknown {
  if (isBinaryBody(like)) {
    return {
      base64_prefix: bytes.subarray(0, 48).toString('base64'),
      bytes: bytes.length,
      ...('base64' in like && { base64: bytes.toString('base64') }),
    }
  }
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch {
    return bytes.toString()
  }
}

function compareFrames(steps: readonly Step[], seen: Replayed, normal: Normalize, looseTicks: boolean): string[] {
  const differences: string[] = []
  const manyOutputs = jobsWithManyOutputs(steps, normal)
  const conns = new Set(steps.flatMap(step => (step.dir === 'ws-open' && step.conn ? [step.conn] : [])))
  for (const conn of conns) {
    const recorded = steps
      .filter(step => step.dir === 'ws-in' && step.conn === conn)
      .map(step => step.control ?? step.body)
    const got = (seen.frames.get(conn) ?? []).map(frame =>
      typeof frame === 'string' ? parseBody(Buffer.from(frame), '') : describeBinary(frame),
    )
    const statuses = firstDifference(statusesOf(recorded, normal), statusesOf(got, normal))
    if (statuses) differences.push(`socket ${conn}: statuses${statuses}`)
    const wanted = byJob(recorded, normal, looseTicks)
    const found = byJob(got, normal, looseTicks)
    for (const job of new Set([...wanted.keys(), ...found.keys()])) {
      const arrange = manyOutputs.has(job) ? withoutOrder : (frames: unknown[]) => frames
      const difference = firstDifference(arrange(wanted.get(job) ?? []), arrange(found.get(job) ?? []))
      if (difference) differences.push(`socket ${conn}, ${job}: frames${difference}`)
    }
  }
  return differences
}

/** Jobs with several output nodes: which of them runs first is chance on the real server. */
function jobsWithManyOutputs(steps: readonly Step[], normal: Normalize): Set<string> {
  const posts = steps.filter(step => step.method === 'POST' && step.path?.endsWith('/prompt'))
  return new Set(
    posts
      .filter(({ body }) => JSON.stringify(body).split(/"class_type":"(?:SaveImage|PreviewImage)"/).length > 2)
      .map(({ body }) => `job ${String(normal((body as { prompt_id?: string }).prompt_id))}`),
  )
}

function withoutOrder(frames: unknown[]): unknown[] {
  return frames
    .filter(each => (each as Frame).type !== 'progress_state')
    .map(sortText)
    .sort()
}

interface Frame {
  type?: string
  data?: { prompt_id?: string; node?: string | null; nodes?: Record<string, { state: string; value: number }> }
}

/** How many there are, the first and the last: those between follow how submissions and ends of jobs interleave. */
function statusesOf(frames: unknown[], normal: Normalize): unknown {
  const statuses = frames.filter(each => (each as Frame | undefined)?.type === 'status')
  return { count: statuses.length, first: normal(statuses[0]), last: normal(statuses.at(-1)) }
}

/** Frames of one job keep their order; frames of different jobs and of none interleave as they like. */
function byJob(frames: unknown[], normal: Normalize, looseTicks: boolean): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>()
  for (const frame of frames) {
    if ((frame as Frame | undefined)?.type === 'status') continue
    if (looseTicks && isTick(frame as Frame)) continue
    const promptId = (frame as Frame | undefined)?.data?.prompt_id
    const job = promptId === undefined ? 'no job' : `job ${String(normal(promptId))}`
    groups.set(job, [...(groups.get(job) ?? []), normal(frame)])
  }
  return groups
}

function isTick({ type, data }: Frame): boolean {
  if (type === 'progress') return true
  const states = Object.values(data?.nodes ?? {})
  return type === 'progress_state' && states.some(each => each.state === 'running' && each.value > 0)
}

function describeBinary(bytes: Buffer): unknown {
  const kind = bytes.readUInt32BE(0)
  if (kind !== 3) return { event_type: kind }
  const length = bytes.readUInt32BE(4)
  return {
    event_type: kind,
    node_id: bytes.toString('utf8', 8, 8 + length),
    text: bytes.toString('utf8', 8 + length),
  }
}

function compareSockets(steps: readonly Step[], seen: Replayed): string[] {
  return steps.flatMap(({ dir, conn = '', code, status, extensions = '' }) => {
    const difference =
      dir === 'ws-close'
        ? firstDifference(code, seen.closes.get(conn))
        : dir === 'ws-open'
          ? firstDifference({ status, extensions }, seen.opened.get(conn))
          : undefined
    return difference ? [`socket ${conn}: ${dir}${difference}`] : []
  })
}

/** Fields that follow the clock, the machine or chance: only their type counts. */
const varyingFields = new Set([
  ...['timestamp', 'create_time', 'execution_start_time', 'execution_end_time', 'modified', 'created'],
  ...['ram_total', 'ram_free', 'vram_total', 'vram_free', 'torch_vram_total', 'torch_vram_free'],
  // Texts of Python and its libraries, and what the server's program says about itself.
  ...['exception_message', 'python_version', 'pytorch_version', 'argv'],
])
/** Words for people in the node catalogue: only whether they are there counts, or not even that. */
const wordFields = new Set(['tooltip', 'display_name', 'description', 'python_module', 'category'])
const wordLists = new Set(['search_aliases', 'output_tooltips'])
/** Lists whose order differs from process to process. */
const unorderedFields = new Set(['executed', 'current_outputs', 'dependent_outputs', 'errors'])

function createNormalizer(recording: Recording, seen: Replayed): Normalize {
  const ownIds = new Map([...seen.ids].map(([old, own]) => [own, old]))
  const manyOutputs = outputCounts(recording)

  function normal(value: unknown, key = '', parent: Record<string, unknown> = {}): unknown {
    if (varyingFields.has(key) || wordFields.has(key)) return typeof value
    if (wordLists.has(key)) return undefined
    // The draft server's own word about itself.
    if (key === 'foundry_draft') return undefined
    if (key === 'traceback') return Array.isArray(value) && value.length > 0 && value.every(isText)
    if (key === 'current_inputs' && isObject(value)) return Object.keys(value).sort()
    if (key === 'details' && 'exception_type' in ((parent.extra_info as object | undefined) ?? {})) return typeof value
    if (key === 'sid' && typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)) return 'made by the server'
    if (typeof value === 'string') return known(value)
    if (typeof value === 'number') return value === 0 ? 0 : value
    if (Array.isArray(value)) return normalList(value, key)
    if (!isObject(value)) return value
    if (isBinaryBody(value)) return normalBinary(value, normal)
    const entries = Object.entries(value).map(([name, each]) => [known(name), normal(each, name, value)] as const)
    return Object.fromEntries(entries.filter(([, each]) => each !== undefined))
  }

  function normalList(list: unknown[], key: string): unknown {
    const items = list.map(each => normal(each))
    // Queue and history tuples: the last element lists the output nodes in any order.
    if (items.length === 5 && typeof items[1] === 'string' && Array.isArray(items[4])) {
      return [...items.slice(0, 4), [...(items[4] as unknown[])].sort()]
    }
    if (key === 'dependent_outputs' && manyOutputs) return typeof items[0]
    if (unorderedFields.has(key)) return items.sort((a, b) => (sortText(a) < sortText(b) ? -1 : 1))
    return items
  }

  function known(text: string): string {
    return (ownIds.get(text) ?? text).replaceAll(tempName, 'ComfyUI_temp_*')
  }

  return value => normal(value)
}

/** Whether some graph of the recording has several invalid outputs: who depends on what is then told by chance. */
function outputCounts({ scenario }: Recording): boolean {
  return scenario === 'validation-errors'
}

/** Of a picture only its kind, size and texts count: the pixels are drafts. */
function normalBinary(body: Record<string, unknown>, normal: Normalize): unknown {
  const prefix = Buffer.from(String(body.base64_prefix ?? ''), 'base64')
  if ('event_type' in body) return { event_type: body.event_type, ...pickText(body) }
  if (prefix.subarray(1, 4).toString() !== 'PNG') return { kind: prefix.subarray(0, 3).toString('latin1') }
  const size = prefix.length >= 24 ? [prefix.readUInt32BE(16), prefix.readUInt32BE(20)] : body.bytes
  return { kind: 'PNG', size, ...(typeof body.base64 === 'string' && { texts: textsOf(body.base64, normal) }) }
}

function pickText(body: Record<string, unknown>): Record<string, unknown> {
  return body.event_type === 3 ? { node_id: body.node_id, text: body.text } : {}
}

function textsOf(base64: string, normal: Normalize): unknown {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length < 33) return undefined
  return readPngText(bytes).map(({ keyword, text }) => [keyword, normal(JSON.parse(text))])
}

function isBinaryBody(value: unknown): value is Record<string, unknown> {
  return isObject(value) && ('base64_prefix' in value || 'event_type' in value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const isText = (value: unknown) => typeof value === 'string'

/** The same for equal values, whatever the order of their members. */
function sortText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    isObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  )
}

/** The first place where two values part, as path and both sides; undefined when they are equal. */
export function firstDifference(wanted: unknown, found: unknown, path = ''): string | undefined {
  if (isDeepStrictEqual(wanted, found)) return undefined
  if (isObject(wanted) && isObject(found)) {
    for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
      const difference = firstDifference(wanted[key], found[key], `${path}.${key}`)
      if (difference) return difference
    }
  }
  if (Array.isArray(wanted) && Array.isArray(found)) {
    for (let index = 0; index < Math.max(wanted.length, found.length); index++) {
      const difference = firstDifference(wanted[index], found[index], `${path}[${index}]`)
      if (difference) return difference
    }
  }
  return `${path}: recorded ${shorten(wanted)}, replayed ${shorten(found)}`
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
