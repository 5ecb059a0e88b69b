import { isNotConnectionError } from 'bullmq'
import { Redis } from 'ioredis'
import { type EngineHost, FoundryError, reasonOf, withinTime } from '../../src/plugins/contract.js'
import { bullmqFailure } from './errors.js'
import type { Settings } from './options.js'

const retryMsMax = 1000
const connectMsMax = 5000
const keepAliveMs = 10_000
const quitMsMax = 1000
const reasonLengthMax = 200
/** Waiting helps against none of these. */
const refusals = /WRONGPASS|NOAUTH|NOPERM|certificate|self-signed/

/**
 * The one connection of an engine. While Redis is away, questions wait for it, each no longer than its limit; nothing that happens
 * to the connection ends the process.
 */
export class RedisLink {
  readonly client: Redis
  private readonly log: EngineHost['log']
  private ready = new Gate()
  private lastReason: string | undefined
  /** Ends the opening at once. */
  private refuse: (() => void) | undefined
  private isClosed = false

  constructor(
    private readonly settings: Settings,
    host: EngineHost,
  ) {
    this.log = host.log.child({ redis: settings.address })
    this.client = new Redis({
      ...settings.redis,
      lazyConnect: true,
      connectTimeout: connectMsMax,
      keepAlive: keepAliveMs,
      connectionName: 'foundry',
      retryStrategy: times => Math.min(times * 100, retryMsMax),
      // What was under way when the connection broke is given up, never sent again: its asker has been told so.
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
    })
    this.client.on('ready', () => this.found())
    this.client.on('close', () => this.lost())
    this.client.on('error', error => this.failed(error))
  }

  /** Resolves once Redis has let us in. Throws BULLMQ_UNREACHABLE. */
  async open(): Promise<void> {
    const { address, limitMs } = this.settings
    const away = () => bullmqFailure('AWAY', { address, limitMs })
    const refused = new Promise<never>((_, reject) => {
      this.refuse = () => reject(away())
    })
    this.client.connect().catch(error => this.failed(error))
    try {
      await withinTime(Promise.race([this.ready.passed, refused]), limitMs, away)
    } catch {
      throw bullmqFailure('UNREACHABLE', { address, reason: this.lastReason ?? 'no answer' })
    } finally {
      this.refuse = undefined
    }
  }

  /**
   * Asks once Redis is there. Throws BULLMQ_AWAY after the limit or when the connection breaks, BULLMQ_REFUSED for what Redis does
   * not do, and BullMQ's own failures as they are. What was not asked by then is never asked.
   */
  async ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    const { address, limitMs } = this.settings
    if (this.isClosed) throw bullmqFailure('CLOSED', { address })
    let isOver = false
    const away = () => bullmqFailure('AWAY', { address, limitMs })
    const answer = this.ready.passed.then(() => {
      if (isOver) throw away()
      return question()
    })
    try {
      return await withinTime(answer, limitMs, () => {
        isOver = true
        // Looks open and says nothing: only a new connection can tell.
        if (this.client.status === 'ready') this.client.stream.destroy()
        return away()
      })
    } catch (error) {
      throw this.explain(error)
    }
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.ready.close(bullmqFailure('CLOSED', { address: this.settings.address }))
    if (this.client.status === 'ready') {
      await withinTime(this.client.quit(), quitMsMax, 'no answer').catch(() => undefined)
    }
    this.client.disconnect()
  }

  private found(): void {
    if (this.ready.isPassed || this.isClosed) return
    this.lastReason = undefined
    this.ready.pass()
    this.log.info('redis reached')
  }

  private lost(): void {
    if (!this.ready.isPassed || this.isClosed) return
    this.ready = new Gate()
    this.log.warn('redis went away')
  }

  private failed(error: unknown): void {
    const reason = shorten(error)
    // That the connection is closed says less than why.
    if (this.isClosed || reason === this.lastReason || reason === 'Connection is closed.') return
    this.lastReason = reason
    this.log.warn({ reason }, 'redis could not be reached')
    if (refusals.test(reason)) this.refuse?.()
  }

  /** Without a cause: what a Redis client throws carries the command with its arguments, the password among them. */
  private explain(error: unknown): unknown {
    const { address, limitMs } = this.settings
    if (error instanceof FoundryError || isNumbered(error)) return error
    if (this.isClosed) return bullmqFailure('CLOSED', { address })
    if (isAway(error)) return bullmqFailure('AWAY', { address, limitMs })
    return bullmqFailure('REFUSED', { address, reason: shorten(error) })
  }
}

/** Whether a question failed for want of a connection. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isUnsent = error.message.includes('enableOfflineQueue')
  return isUnsent || !isNotConnectionError(error) || /^(Abort|MaxRetriesPerRequest)Error$/.test(error.name)
}

/** BullMQ numbers its own failures: the job or its lock is not as it should be. */
export function isNumbered(error: unknown): error is Error & { code: number } {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'number'
}

/** Opens once; closed for good, whoever waits is told why. */
class Gate {
  isPassed = false
  readonly passed: Promise<void>
  private resolve: () => void = () => undefined
  private reject: (reason: unknown) => void = () => undefined

  constructor() {
    this.passed = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Nobody may be waiting.
    this.passed.catch(() => undefined)
  }

  pass(): void {
    this.isPassed = true
    this.resolve()
  }

  close(reason: unknown): void {
    this.reject(reason)
  }
}

/** Errors of several addresses have no message of their own. */
function shorten(error: unknown): string {
  const text = reasonOf(error) || String((error as { code?: unknown }).code ?? 'no answer')
  return text.slice(0, reasonLengthMax)
}
