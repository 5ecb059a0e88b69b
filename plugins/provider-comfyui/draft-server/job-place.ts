import type { Catalogue } from './catalogue.js'
import type { ClientHub } from './client-hub.js'
import type { DraftGraph } from './graph.js'
import type { QueuedJob } from './job-heap.js'
import type { FileFacts } from './node-definition.js'
import type { Faults } from './options.js'
import type { Pace } from './pace.js'
import type { ProgressBoard } from './progress-board.js'
import type { SavePlace } from './save-pictures.js'
import type { Traits } from './traits.js'

/** What a cached node left: its values, and for output nodes what it reported. */
export interface CachedNode {
  outputs: readonly unknown[]
  ui?: Record<string, unknown>
  meta?: Record<string, unknown>
}
export type NodeCache = Map<string, CachedNode>

export interface JobPlace {
  catalogue: Catalogue
  traits: Traits
  hub: ClientHub
  cache: NodeCache
  facts: FileFacts
  save: SavePlace
  faults: Faults
  /** Whether someone wants the running job interrupted. */
  isInterrupted(): boolean
  /** Whether this job is told to fail. */
  fails: boolean
  /** Reads the model files unless the job before had the same ones. */
  loadModels(graph: DraftGraph, pace: Pace): Promise<void>
}

/** A job while it runs, as its nodes see it. */
export interface NodeRun {
  job: QueuedJob
  graph: DraftGraph
  clientId: string | undefined
  place: JobPlace
  signal: AbortSignal
  pace: Pace
  board: ProgressBoard
  finished: Map<string, CachedNode>
  /** Ids in the order they ended. */
  executed: string[]
}
