import type { Logger } from 'pino'
import { reasonOf } from '../errors.js'
import { withAnySignal } from '../files/join-signals.js'
import type { Connection, Probe } from '../plugins/contract.js'
import type { ServerState } from './worker-host.js'

const probeLimitMs = 15_000
/** A server that was not heard for so long is probed, so that the status tells the truth. */
const quietMsMax = 5000

interface PresenceHost {
  server: string
  connection: Pick<Connection, 'probe'>
  /** Of the worker. */
  end: AbortSignal
  log: Logger
  /** It answers, and did not before. */
  came(): void
  /** It does not answer, and did before, or was not asked yet. */
  went(): void
}

/** Whether a server is there, and what it said of itself. */
export class Presence {
  state: ServerState = 'unknown'
  probe: Probe | undefined
  /** Why it is not there. */
  reason: string | undefined
  /** When it last gave a sign of life, on the clock that never jumps. */
  heardAt = 0

  constructor(private readonly host: PresenceHost) {}

  get isReady(): boolean {
    return this.state === 'ready'
  }

  isQuiet(): boolean {
    return performance.now() - this.heardAt > quietMsMax
  }

  heard(): void {
    this.heardAt = performance.now()
  }

  /** What it said of itself a moment ago; otherwise it is probed. */
  async known(): Promise<Probe | undefined> {
    return this.isReady && !this.isQuiet() ? this.probe : this.look()
  }

  /** Probes once; the answer also becomes the state. */
  async look(limitMs = probeLimitMs): Promise<Probe | undefined> {
    const { server, connection, end, log } = this.host
    try {
      const probe = await withAnySignal([end, AbortSignal.timeout(limitMs)], limit => connection.probe(limit))
      const isNews = !this.isReady
      this.probe = probe
      this.heard()
      this.state = 'ready'
      this.reason = undefined
      if (isNews) {
        log.info({ server, version: probe.version }, 'server ready')
        this.host.came()
      }
      return probe
    } catch (error) {
      if (!end.aborted) this.lost(reasonOf(error))
      return undefined
    }
  }

  lost(reason: string): void {
    const isNews = this.state !== 'unreachable'
    this.state = 'unreachable'
    this.reason = reason
    if (!isNews) return
    this.host.log.warn({ server: this.host.server, reason }, 'server unreachable')
    this.host.went()
  }
}
