import type { Catalogue } from './catalogue.js'
import type { ClientHub } from './client-hub.js'
import type { FileStore } from './file-store.js'
import type { History } from './history.js'
import type { Ledger } from './ledger.js'
import type { DraftModel, Faults } from './options.js'
import type { FileFacts } from './node-definition.js'
import type { Traits } from './traits.js'
import type { Worker } from './worker.js'

/** The parts of a running server that its routes work with. */
export interface ServerState {
  traits: Traits
  catalogue: Catalogue
  models: 'any' | Record<string, Record<string, DraftModel>>
  hub: ClientHub
  worker: Worker
  history: History
  files: FileStore
  facts: FileFacts
  faults: Faults
  ledger: Ledger
  /** Number of the next job without one of its own. Refused jobs use one up, too. */
  isDisguised: boolean
  counter: number
  startedAt: number
  /** How many requests were answered, without those that only a draft server knows. */
  requests: number
  applyFaults(changes: Partial<Faults>): void
  loseQueue(): void
  restart(): void
}
