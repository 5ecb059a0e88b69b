import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { failure, reasonOf } from '../../errors.js'
import { takeTurns } from '../../files/take-turns.js'
import { hashPlugin } from '../hash-plugin.js'
import { shownReason } from '../shown-reason.js'
import type { IsolationBounds } from './bounds.js'
import type { AskedHook } from './child-main.js'
import { IsolatedProcess } from './isolated-process.js'
import { relayLog } from './relay-log.js'

/** Isolated code, and what is known of it. */
export interface IsolatedCode {
  plugin: string
  /** Its ES module. */
  code: string
  /** What is hashed, and what that gave when it was loaded. */
  folder: string
  sha256?: string
}

interface Host {
  options: Readonly<Record<string, unknown>>
  log: Logger
  bounds: IsolationBounds
}

const waitingMax = 1000

/**
 * The calls of one opened plugin, one at a time, so that who breaks a bound harms no other call. A process that has ended is started
 * anew by the next call, after a pause that grows; one that ends again and again rests.
 */
export class IsolatedCalls {
  private readonly inTurn = takeTurns<'call'>()
  private readonly closing = new AbortController()
  private process: IsolatedProcess | undefined
  private hooks: readonly string[] = []
  private endsInARow = 0
  private restsUntil = 0
  private waiting = 0

  constructor(
    private readonly of: IsolatedCode,
    private readonly host: Host,
  ) {}

  /** Starts it for the first time. Answers the names of its hooks. Rejects with PLUGIN_HOOK_FAILED, and is closed then. */
  async start(): Promise<readonly string[]> {
    try {
      await this.inTurn('call', () => this.ready('open'))
      return this.hooks
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Rejects with PLUGIN_HOOK_FAILED. */
  async ask(hook: AskedHook, input: object, bytes?: Uint8Array): Promise<unknown> {
    if (this.waiting >= waitingMax) throw this.failed(hook, `${waitingMax} calls wait for it already`)
    this.waiting++
    try {
      return await this.inTurn('call', async () => {
        const process = await this.ready(hook)
        const limitMs = this.host.bounds.hookMsMax
        const answering = process.call({ hook, input }, { ...(bytes && { bytes }), limitMs })
        return await answering.finally(() => {
          if (process.isAlive) this.endsInARow = 0
        })
      })
    } finally {
      this.waiting--
    }
  }

  /** Lets the plugin close, and ends its process in any case. Calls that wait are rejected. */
  async close(): Promise<void> {
    this.closing.abort()
    const { process } = this
    try {
      if (process?.isAlive && this.hooks.includes('close'))
        await this.inTurn('call', () => process.call({ hook: 'close' }, { limitMs: this.host.bounds.hookMsMax }))
    } finally {
      process?.end('it is closed')
      this.process?.end('it is closed')
    }
  }

  private async ready(hook: string): Promise<IsolatedProcess> {
    if (this.closing.signal.aborted) throw this.failed(hook, 'it is closed')
    if (this.process?.isAlive) return this.process
    const { endsMax, pauseMs } = this.host.bounds
    const restMs = this.restsUntil - performance.now()
    if (restMs > 0)
      throw this.failed(
        hook,
        `its process has ended ${this.endsInARow} times in a row, and is started again in ${Math.ceil(restMs / 1000)} s`,
      )
    if (this.endsInARow > 0 && this.endsInARow < endsMax)
      await sleep(pauseMs * 4 ** (this.endsInARow - 1), undefined, { signal: this.closing.signal }).catch(() => {
        throw this.failed(hook, 'it is closed')
      })
    return this.begin(hook)
  }

  /** Code that is another than was loaded at the start is not run: traces name that of the start. */
  private async begin(hook: string): Promise<IsolatedProcess> {
    const { folder, sha256, code, plugin } = this.of
    const { options, log, bounds } = this.host
    if (sha256 !== undefined && (await hashPlugin(folder)) !== sha256)
      throw this.failed(hook, 'its code has changed since the start of the foundry, which must be started again')
    if (this.closing.signal.aborted) throw this.failed(hook, 'it is closed')
    const begun = new IsolatedProcess({ plugin, bounds, onEnd: this.noteEnd, onLog: line => relayLog(line, log) })
    this.process = begun
    try {
      await begun.call({ hook: 'load', code }, { limitMs: bounds.loadMsMax })
      const level = log.level
      const hooks = await begun.call({ hook: 'open', options, level }, { limitMs: bounds.loadMsMax })
      this.hooks = Array.isArray(hooks) ? hooks.map(String) : []
      return begun
    } catch (error) {
      begun.end(reasonOf(error))
      throw error
    }
  }

  private readonly noteEnd = (reason: string) => {
    if (this.closing.signal.aborted) return
    const { bounds, log } = this.host
    this.endsInARow++
    const rests = this.endsInARow >= bounds.endsMax
    if (rests) this.restsUntil = performance.now() + bounds.restMs
    log.warn({ reason: shownReason(reason), endsInARow: this.endsInARow, rests }, 'process of an isolated plugin ended')
  }

  private failed(hook: string, reason: string) {
    return failure('PLUGIN_HOOK_FAILED', { plugin: this.of.plugin, hook, reason })
  }
}
