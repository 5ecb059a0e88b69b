/**
 * The process of one isolated plugin. It does what the foundry asks, one call at a time, and ends with it. Both speak through file
 * descriptor 3: a call is the byte lengths of a JSON text and of a picture (32 bit each, big endian), then these two; an answer is a line of JSON.
 */
import { Socket } from 'node:net'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { pino } from 'pino'
import { reasonOf } from '../../errors.js'
import { codePluginOf } from '../code-plugin.js'
import { offerContract } from '../contract-hooks.js'
import type { CodePlugin, Gate, Observer } from '../contract.js'
import type { GuardedBy } from './child-guard.js'
import { endGroup } from './end-group.js'

/** What a plugin that was loaded says of itself. */
export type Described = Pick<CodePlugin, 'kind' | 'name' | 'version' | 'options'>

export type AskedHook = (typeof hookNames)[number]

/** The picture that `beforeCommit` judges comes behind it. */
export type Call =
  | { hook: 'load'; code: string }
  | { hook: 'open'; options: Readonly<Record<string, unknown>>; level: string }
  | { hook: AskedHook; input?: object }

/** `load` answers `Described`, or nothing for what is no plugin; `open` the names of the hooks. */
export type ChildMessage =
  | { kind: 'answered'; value?: unknown }
  | { kind: 'threw'; reason: string }
  /** It can no longer be trusted, and ends. */
  | { kind: 'broken'; reason: string }
  | { kind: 'logged'; line: string }

const hookNames = ['beforeDispatch', 'beforeCommit', 'told', 'close'] as const
const reasonLengthMax = 1000
const channel = new Socket({ fd: 3, readable: true, writable: true })
let plugin: CodePlugin | undefined
let opened: Partial<Gate & Observer> = {}

const guardedBy: GuardedBy = Number(process.argv[2])
new Worker(new URL('./child-guard.js', import.meta.url), { workerData: guardedBy }).unref()
for (const sign of ['end', 'close', 'error']) channel.on(sign, () => endGroup(process.pid))
process.on('uncaughtException', error => {
  const line = toLine({ kind: 'broken', reason: `it threw outside of its hooks: ${reasonOf(error)}` })
  channel.write(line, () => endGroup(process.pid))
})
readCalls((call, bytes) => {
  void answerTo(call, bytes).then(message => channel.write(toLine(message)))
})

async function answerTo(call: Call, bytes: Uint8Array): Promise<ChildMessage> {
  try {
    return { kind: 'answered', value: await run(call, bytes) }
  } catch (error) {
    return { kind: 'threw', reason: reasonOf(error) }
  }
}

async function run(call: Call, bytes: Uint8Array): Promise<unknown> {
  if (call.hook === 'load') {
    offerContract()
    plugin = codePluginOf(await import(pathToFileURL(call.code).href))
    return plugin && describe(plugin)
  }
  if (call.hook === 'open') {
    const write = (line: string) => void channel.write(toLine({ kind: 'logged', line }))
    const log = pino({ level: call.level, base: null, timestamp: false }, { write })
    // The foundry asks for no other kinds.
    if (plugin?.kind === 'gate' || plugin?.kind === 'observer') opened = await plugin.open(call.options, { log })
    return hookNames.filter(name => typeof opened[name] === 'function')
  }
  if (call.hook === 'close') return opened.close?.()
  const hook = opened[call.hook] as ((input: object) => unknown) | undefined
  if (!hook) throw new RangeError('it has no such hook')
  return hook.call(opened, { ...call.input, ...(call.hook === 'beforeCommit' && { bytes }) })
}

function describe({ kind, name, version, options }: CodePlugin): Described {
  return { kind, name, version, options }
}

function toLine(message: ChildMessage): string {
  const whole = 'reason' in message ? { ...message, reason: message.reason.slice(0, reasonLengthMax) } : message
  try {
    return `${JSON.stringify(whole)}\n`
  } catch (error) {
    return `${JSON.stringify({ kind: 'threw', reason: `its answer is no plain data: ${reasonOf(error)}` })}\n`
  }
}

/** Reads calls, each put together once, when it is whole: the next one comes when it is answered. */
function readCalls(take: (call: Call, bytes: Buffer) => void): void {
  let chunks: Buffer[] = []
  let size = 0
  channel.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    if (size < 8) return
    const [first = chunk] = chunks
    const head = first.length < 8 ? Buffer.concat(chunks) : first
    const bytesFrom = 8 + head.readUInt32BE(0)
    if (size < bytesFrom + head.readUInt32BE(4)) return
    const all = Buffer.concat(chunks)
    chunks = []
    size = 0
    take(JSON.parse(all.toString('utf8', 8, bytesFrom)) as Call, all.subarray(bytesFrom))
  })
}
