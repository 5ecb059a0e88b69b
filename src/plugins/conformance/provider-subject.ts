import type { Connection, Job } from '../contract.js'

/** A provider with a server of its own, as the promises need it. Each opens a fresh one. */
export interface ProviderSubject {
  connection: Connection
  /** A second connection to the same server, which knows nothing of the first: as after a crash. */
  reopen(): Promise<Connection>
  /** A valid job. Another seed is another picture. */
  makeJob(seed: number): Job
  /** A job that the server refuses or cannot run. */
  makeBadJob(): Job
  controls: ServerControls
  close(): Promise<void>
}

/** What a test does to the server. Left out: the server cannot be made to. */
export interface ServerControls {
  /** Each job takes at least this long. */
  slowDown?(jobMs: number): Promise<void>
  failNext?(): Promise<void>
  /** The next job is taken while its answer is lost. */
  loseNextAnswer?(): Promise<void>
  /** The next picture is cut short in transfer. */
  truncateNextPicture?(): Promise<void>
  /** The next job ends well and leaves nothing. */
  withholdNextPicture?(): Promise<void>
  dropEvents?(): Promise<void>
  /** Events stop, and everything looks open. */
  silenceEvents?(): Promise<void>
  /** Comes back at once with queue and history empty. */
  restartEmpty?(): Promise<void>
  /** Goes away. */
  stop?(): Promise<void>
  /** How many jobs were rendered so far, by the server's own count. */
  renders?(): Promise<number>
}

/** One promise, and what the server must be made to do for it. */
export interface ProviderPromise {
  needs?: readonly (keyof ServerControls)[]
  /** Rejects with an assertion where it is broken. */
  test(at: ProviderSubject & { signal: AbortSignal }): Promise<void>
}
