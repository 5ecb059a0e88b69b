import { setTimeout as wait } from 'node:timers/promises'
import { failure, FoundryError } from '../errors.js'

/** The steps of a job and of the end of its run between which a crash is rehearsed, in their order. */
export const crashPoints = [
  'plan',
  'journal',
  'sync',
  'submit',
  'accepted',
  'output-seen',
  'staged',
  'synced',
  'linked',
  'folder-synced',
  'sidecar',
  'done',
  'ack',
  'composite',
] as const
export type CrashPoint = (typeof crashPoints)[number]

/** System calls that can be made to fail. */
const systemPoints = ['write', 'fsync', 'link'] as const
type SystemPoint = (typeof systemPoints)[number]
type Point = CrashPoint | SystemPoint
const points: readonly Point[] = [...crashPoints, ...systemPoints]

type Action = { kind: 'kill' | 'short' } | { kind: 'fail'; errno: string } | { kind: 'delay'; delayMs: number }

interface Rule {
  point: Point
  action: Action
  /** The only time it acts, counted from 1; without it, every time. */
  time: number | undefined
}

interface Armed {
  spec: string
  rules: readonly Rule[]
  /** How often each point was reached, by its place in `points`, in all threads together. */
  reached: Int32Array
}

/** What another thread of this process needs for the same rehearsal. */
export type SharedFailpoints = Pick<Armed, 'spec' | 'reached'>

const delayMsMax = 60_000
const settled = Promise.resolve()
let armed: Armed | undefined

/**
 * Arms faults from a text such as `staged=kill`, `linked=kill@3` (the third time only), `sync=error`,
 * `submit=delay:500`, `write=short@2`, `write=ENOSPC@4`, `fsync=EIO@1`, `link=EXDEV`; a comma separates several,
 * the empty text disarms. Throws USAGE_INVALID. For rehearsals only: see `config` for who may ask.
 */
export function armFailpoints(spec: string, reached = counters()): void {
  const parts = spec.split(',').flatMap(part => part.trim() || [])
  armed = parts.length === 0 ? undefined : { spec, rules: parts.map(parseRule), reached }
}

/** For `armFailpoints` in another thread; undefined while nothing is armed. */
export function sharedFailpoints(): SharedFailpoints | undefined {
  return armed && { spec: armed.spec, reached: armed.reached }
}

function counters(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(points.length * Int32Array.BYTES_PER_ELEMENT))
}

/** Where a crash may be rehearsed. Does nothing unless armed; then may end the process, wait, or throw. */
export function failpoint(point: CrashPoint): Promise<void> {
  return armed === undefined ? settled : act(point, actionAt(armed, point))
}

/** As `failpoint`, in code that cannot wait: a delay blocks the thread. */
export function failpointSync(point: CrashPoint): void {
  const action = armed && actionAt(armed, point)
  if (action?.kind === 'delay') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.delayMs)
  else if (action) crashOrThrow(point, action)
}

/** Consulted before each write: how many of its bytes shall be written. Throws what the system would throw. */
export async function faultyLength(lengthBytes: number): Promise<number> {
  const action = armed && actionAt(armed, 'write')
  if (action?.kind === 'short') return Math.ceil(lengthBytes / 2)
  if (action) await act('write', action)
  return lengthBytes
}

/** Consulted before each fsync and link. Throws what the system would throw. */
export function systemFault(point: 'fsync' | 'link'): Promise<void> {
  return armed === undefined ? settled : act(point, actionAt(armed, point))
}

function actionAt({ rules, reached }: Armed, point: Point): Action | undefined {
  const time = Atomics.add(reached, points.indexOf(point), 1) + 1
  return rules.find(rule => rule.point === point && (rule.time === undefined || rule.time === time))?.action
}

async function act(point: Point, action: Action | undefined): Promise<void> {
  if (action?.kind === 'delay') await wait(action.delayMs)
  else if (action) crashOrThrow(point, action)
}

function crashOrThrow(point: Point, action: Action): void {
  if (action.kind === 'kill') process.kill(process.pid, 'SIGKILL')
  if (action.kind === 'fail') throw new FoundryError(action.errno, `${action.errno}: injected at ${point}`)
}

function parseRule(text: string): Rule {
  const parsed = /^([a-z-]+)=([a-z]+|E[A-Z0-9]+)(?::(\d+))?(?:@(\d+))?$/.exec(text)
  const point = points.find(each => each === parsed?.[1])
  const action = parsed && parseAction(parsed[2] ?? '', parsed[3])
  if (!point || !action || (action.kind === 'short' && point !== 'write'))
    throw failure('USAGE_INVALID', {
      problem: `"${text}" is not a failpoint`,
      next: `write POINT=ACTION[@TIME], with a point of ${points.join(', ')} and an action of kill, error, delay:MS, short (of write), or an errno`,
    })
  return { point, action, time: parsed?.[4] === undefined ? undefined : Number(parsed[4]) }
}

function parseAction(word: string, argument: string | undefined): Action | undefined {
  if (word === 'delay' && argument !== undefined)
    return { kind: 'delay', delayMs: Math.min(Number(argument), delayMsMax) }
  if (argument !== undefined) return undefined
  if (word === 'kill' || word === 'short') return { kind: word }
  if (word === 'error') return { kind: 'fail', errno: 'EIO' }
  return word.startsWith('E') ? { kind: 'fail', errno: word } : undefined
}
