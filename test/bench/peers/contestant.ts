import type { RaceJob } from './scenarios.js'

/** What a contestant is given before the race. */
export interface Task {
  urls: readonly string[]
  jobs: readonly RaceJob[]
  /** Empty, its own: pictures go here, wherever below. */
  folder: string
  /** Where the other clients are installed. */
  peers: string
}

/** Jobs that everybody renders before the race, elsewhere: a client that has run for a while has its code compiled. */
export interface WarmUp {
  jobs: readonly RaceJob[]
  folder: string
}

/** A client that is connected to all servers and waits for the start. */
export interface Racer {
  /** Resolves when every job is settled as far as the client knows. `told` hears each end that the client reports. */
  run(told: Told): Promise<void>
  close(): Promise<void>
}

export type Told = (end: 'done' | 'failed') => void
export type Contestant = (task: Task) => Promise<Racer>

/** Messages between the benchmark and the process of a contestant. */
export type Order = { kind: 'prepare'; name: string; task: Task; warmUp?: WarmUp | undefined } | { kind: 'go' }
export type Report =
  | { kind: 'ready' }
  | { kind: 'progress'; done: number; failed: number }
  | { kind: 'ended'; done: number; failed: number; makespanMs: number; cpuMs: number }
