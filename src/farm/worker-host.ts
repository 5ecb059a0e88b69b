import type { Logger } from 'pino'
import type { Job } from '../plan/job.js'
import type { Attempt, Claim, Connection } from '../plugins/contract.js'
import type { ServerEntry, ServerMode } from '../schema/config.js'
import type { Attempts } from './attempts.js'
import type { RunGroup } from './run-backlog.js'
import type { Speeds, Switch } from './speeds.js'

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
  mode: ServerMode
  /** Why it is not there. */
  reason?: string
  /** In one sentence, why it gets no jobs, or not some of them. */
  avoided?: string
  /** When it is tried again (ISO 8601), while it rests after failures or its account may not render. */
  restsUntil?: string
  renderer?: string
  version?: string
  labels: readonly string[]
  depth: number
  /** What it has loaded, by the last job it was sent: the key of the models, and the LoRAs with their weights. */
  modelSet?: string
  /** The names of these models. */
  models?: readonly string[]
  loras?: readonly string[]
  jobs: { run: string; slot: string; attempt: number; state: 'waiting' | 'running'; value?: number; max?: number }[]
  /** Milliseconds that one job takes, by work. */
  speeds: Record<string, number>
  rendered: number
  failed: number
}

/** A job that a worker may begin. */
export interface Given {
  claim: Claim
  group: RunGroup
}

/** Where attempts are begun and ended: at the owner of the home, here or on another machine. */
export type AttemptBook = Pick<
  Attempts,
  'lease' | 'submitted' | 'remotes' | 'failed' | 'isCancelled' | 'abandon' | 'commit' | 'keep'
>

/** What the worker of a server needs of the farm. */
export interface WorkerHost {
  attempts: AttemptBook
  log: Logger
  speeds: Speeds
  /** The next job for the server, which it was found able to render. */
  claim(): Promise<Given | undefined>
  /** Tries to get a job for it that waits on another server; it is idle. */
  steal(): Promise<boolean>
  finish(claim: Claim): Promise<void>
  /** Whether another server of its renderer takes jobs. */
  hasOthers(): boolean
  /** Why it leaves some of what waits to others, in one sentence. */
  whySpared(): string | undefined
  /** Something is known that others may wait for: a server came, or went. */
  changed(): void
  progress(job: Job, server: string, value: number, max: number): void
}

/** A job that waits on a server behind others. */
export interface Waiting {
  active: Active
  group: RunGroup
  /** Milliseconds until it will have ended there. */
  endsInMs: number
}

/** A job that is on a server. */
export interface Active {
  job: Job
  attempt: Attempt
  /** Absent for those of an earlier process. */
  group: RunGroup | undefined
  /** What the server had to load for it, as far as one can tell. */
  loads: Switch
  isSubmitted: boolean
  isBeingWithdrawn: boolean
  /** On the clock that never jumps. */
  startedAt?: number
  value?: number
  max?: number
}
