import type { QueueEngine } from '../contract.js'

/** An engine as the promises need it. Each opens a fresh one, which is empty. */
export interface EngineSubject extends EngineControls {
  engine: QueueEngine
  close(): Promise<void>
}

/** What a test does to the engine. Left out: it cannot be done. */
export interface EngineControls {
  /** A second engine of the same home, as another process has it. The subject closes it. */
  reopen?(): Promise<QueueEngine>
  /** Lets milliseconds pass: waits for them, or turns the clock of the engine. */
  passTime?(ms: number): Promise<void>
}

/** One promise, and what must be done to the engine for it. */
export interface EnginePromise {
  needs?: readonly (keyof EngineControls)[]
  /** Rejects with an assertion where it is broken. */
  test(at: EngineSubject): Promise<void>
}
