import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { bareEnvironment } from '../../config/bare-environment.js'
import { failure, reasonOf } from '../../errors.js'
import { shownReason } from '../shown-reason.js'
import { withinTime } from '../../files/within-time.js'
import type { IsolationBounds } from './bounds.js'
import type { Call, ChildMessage } from './child-main.js'
import { endGroup } from './end-group.js'
import { residentBytes } from './resident-memory.js'

export interface ProcessOptions {
  /** What failures call it. */
  plugin: string
  bounds: IsolationBounds
  /** Once, with why; also when it was asked to end. */
  onEnd?(reason: string): void
  /** A line of its log, as pino writes them. */
  onLog?(line: string): void
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

const memoryLookEveryMs = 100
const mebibyte = 1024 * 1024
const childMain = fileURLToPath(new URL('./child-main.js', import.meta.url))

/** One process with one plugin in it. Whatever breaks a bound is the end of it, and of all that it has started. */
export class IsolatedProcess {
  /** Why it has ended. */
  private reason: string | undefined
  private waiting: Waiting | undefined
  private readonly child: ChildProcess
  private readonly watch: NodeJS.Timeout
  private outputBytes = 0
  private line: Buffer[] = []
  private isHeapFull = false

  constructor(private readonly options: ProcessOptions) {
    const { heapMiBMax } = options.bounds
    this.child = spawn(process.execPath, [`--max-old-space-size=${heapMiBMax}`, childMain, `${process.pid}`], {
      env: bareEnvironment(),
      // Standard input, output, errors, and the channel.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // A group of its own: what interrupts the foundry lets it finish its call.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.child.on('error', error => this.end(`it cannot be started (${reasonOf(error)})`))
    // What it has started may live on, and hold its output open.
    this.child.on('exit', () => this.child.pid !== undefined && endGroup(this.child.pid))
    // Only now all that it said was heard.
    this.child.on('close', (code, signal) => this.closed(code, signal))
    this.child.stdout?.on('data', chunk => this.count(chunk))
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.isHeapFull ||= chunk.includes('heap out of memory')
      this.count(chunk)
    })
    this.channel?.on('data', (chunk: Buffer) => this.read(chunk))
    // Of a process that ended; its exit says more.
    this.channel?.on('error', () => undefined)
    this.watch = setInterval(() => void this.watchMemory(), memoryLookEveryMs).unref()
  }

  get isAlive(): boolean {
    return this.reason === undefined
  }

  /**
   * One call; the next one only when this is settled. Rejects with PLUGIN_HOOK_FAILED for what the plugin throws, and where it breaks a
   * bound, which ends the process.
   */
  async call(call: Call, { bytes = noBytes, limitMs }: { bytes?: Uint8Array; limitMs: number }): Promise<unknown> {
    if (this.reason !== undefined) throw this.failed(call.hook, this.reason)
    this.outputBytes = 0
    const answer = new Promise<unknown>((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.send(call, bytes)
    })
    try {
      return await withinTime(answer, limitMs, 'no answer')
    } catch (error) {
      // Nobody else says that it takes too long.
      if (this.waiting) this.end(reasonOf(error))
      throw this.failed(call.hook, reasonOf(error))
    }
  }

  /** Ends it at once. */
  end(reason: string): void {
    if (this.reason !== undefined) return
    this.reason = reason
    clearInterval(this.watch)
    const { pid, exitCode, signalCode } = this.child
    if (pid !== undefined && exitCode === null && signalCode === null) endGroup(pid)
    for (const stream of [this.child.stdout, this.child.stderr, this.channel]) stream?.destroy()
    this.settle()?.reject(new RangeError(reason))
    this.options.onEnd?.(reason)
  }

  private get channel(): Duplex | undefined {
    // `stdio` above makes it one.
    return this.child.stdio[3] as Duplex | Readable | null | undefined as Duplex | undefined
  }

  private send(call: Call, bytes: Uint8Array): void {
    const text = Buffer.from(JSON.stringify(call))
    const head = Buffer.alloc(8)
    head.writeUInt32BE(text.length, 0)
    head.writeUInt32BE(bytes.length, 4)
    this.channel?.write(Buffer.concat([head, text]))
    // As they are, without a copy.
    if (bytes.length > 0) this.channel?.write(bytes)
  }

  private count(chunk: Buffer): void {
    this.outputBytes += chunk.length
    const { outputBytesMax } = this.options.bounds
    if (this.outputBytes > outputBytesMax) this.end(`it printed or answered more than ${outputBytesMax} bytes`)
  }

  private read(chunk: Buffer): void {
    this.count(chunk)
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0 && this.isAlive; end = chunk.indexOf(newline, from)) {
      this.heard(Buffer.concat([...this.line, chunk.subarray(from, end)]).toString())
      this.line = []
      from = end + 1
    }
    if (from < chunk.length) this.line.push(chunk.subarray(from))
  }

  private heard(line: string): void {
    const message = parse(line)
    if (message?.kind === 'answered') this.settle()?.resolve(message.value)
    else if (message?.kind === 'threw') this.settle()?.reject(new RangeError(message.reason))
    else if (message?.kind === 'logged') this.options.onLog?.(message.line)
    else this.end(message?.kind === 'broken' ? message.reason : 'it answered something that cannot be read')
  }

  private settle(): Waiting | undefined {
    const waiting = this.waiting
    this.waiting = undefined
    return waiting
  }

  private closed(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.isHeapFull) this.end(`its heap needs more than ${this.options.bounds.heapMiBMax} MiB`)
    else this.end(`its process ended by itself, with ${signal ?? `exit code ${code}`}`)
  }

  private async watchMemory(): Promise<void> {
    const { pid } = this.child
    const bytes = pid === undefined ? undefined : await residentBytes(pid)
    const { memoryMiBMax } = this.options.bounds
    if (bytes === undefined || bytes <= memoryMiBMax * mebibyte) return
    this.end(`it takes ${Math.round(bytes / mebibyte)} MiB of memory, and may take ${memoryMiBMax}`)
  }

  private failed(hook: string, reason: string) {
    return failure('PLUGIN_HOOK_FAILED', { plugin: this.options.plugin, hook, reason: shownReason(reason) })
  }
}

const noBytes = new Uint8Array()
const newline = 0x0a

/** A plugin may write to the channel itself: what is no message ends it. */
function parse(line: string): ChildMessage | undefined {
  try {
    const value = JSON.parse(line) as Partial<Record<string, unknown>> | null
    const texts = { answered: '', threw: value?.['reason'], broken: value?.['reason'], logged: value?.['line'] }
    const kind = value?.['kind'] as keyof typeof texts
    // The text that each kind has was looked at.
    return typeof texts[kind] === 'string' ? (value as unknown as ChildMessage) : undefined
  } catch {
    // It is none of ours.
    return undefined
  }
}
