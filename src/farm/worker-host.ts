import type { Logger } from 'pino'
import type { Job } from '../plan/job.js'
import type { Attempt, Connection } from '../plugins/contract.js'
import type { ServerEntry } from '../schema/config.js'
import type { Desk } from './desk.js'
import type { Claim } from './engine.js'

export interface ServerOptions {
  entry: ServerEntry
  connection: Connection
  /** What it renders, where the configuration tells: the embedded draft server is one. */
  renderer?: string
}

export type ServerState = 'unknown' | 'ready' | 'unreachable' | 'stopped'

/** What a server is doing, for screens and programs. */
export interface ServerStatus {
  name: string
  url?: string
  provider: string
  state: ServerState
  reason?: string
  renderer?: string
  version?: string
  depth: number
  jobs: { run: string; slot: string; attempt: number; value?: number; max?: number }[]
  rendered: number
  failed: number
}

export interface WorkerHost {
  desk: Desk
  log: Logger
  /** The next job for a server of this renderer with this hot lane. */
  claim(server: { hot: string | undefined; renderer: string }): Promise<Claim | undefined>
  finish(claim: Claim): Promise<void>
  /** Puts a claimed job back where it was. */
  release(claim: Claim): Promise<void>
  /** Something changed: a place is free, a job is settled. */
  changed(): void
  progress(job: Job, server: string, value: number, max: number): void
}

export interface Active {
  job: Job
  attempt: Attempt
  value?: number
  max?: number
}
