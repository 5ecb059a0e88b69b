import type { Job } from '../plan/job.js'

/** Jobs that need the same models of the same renderer, in the same priority band, wait in one lane. */
export function laneOf(job: Job): string {
  return `${job.target.renderer}/${job.modelSet}`
}

/** Whether a server of this renderer may take jobs from the lane. */
export function isLaneOf(lane: string, renderer: string): boolean {
  return lane.startsWith(`${renderer}/`)
}

/** A job that one place works on. */
export interface Claim {
  job: Job
  lane: string
}

/**
 * Holds claims on the window of jobs that the owner has offered. It is an index: the journal is the truth,
 * and an engine that was lost is rebuilt by offering again.
 */
export interface QueueEngine {
  offer(jobs: readonly Job[]): Promise<void>
  /** The oldest job of a lane, or nothing. */
  claim(lane: string): Promise<Claim | undefined>
  /** Keeps a claim alive; false when it was lost. */
  extend(claim: Claim): Promise<boolean>
  finish(claim: Claim): Promise<void>
  /** Puts a claimed job back at the head of its lane. */
  release(claim: Claim): Promise<void>
  /** Takes unclaimed jobs out; answers those it had. */
  cancel(jobs: readonly string[]): Promise<string[]>
  /** Waiting jobs by lane, the lane with the oldest job first. */
  counts(): Promise<ReadonlyMap<string, number>>
  /** Takes out everything that nobody has claimed. */
  drain(): Promise<Job[]>
}
