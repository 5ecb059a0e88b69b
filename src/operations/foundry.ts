import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import type { Desk } from '../farm/desk.js'
import type { Farm } from '../farm/farm.js'
import type { RemoteWork } from '../farm/remote-work.js'
import type { ServerOptions } from '../farm/worker-host.js'
import type { PluginFolder } from '../plugins/load-plugins.js'
import type { Gates } from '../plugins/run-gates.js'
import type { IntakeStatus } from '../intake/intake.js'
import type { Ledger } from '../record/ledger.js'
import type { Pictures } from '../record/pictures.js'
import type { References } from '../record/references.js'
import type { ServerEntry } from '../schema/config.js'
import type { Shelf } from './shelf.js'

/** What operations act on: an open home. Built by `daemon.ts`, nobody else. */
export interface Foundry {
  config: Config
  ledger: Ledger
  desk: Desk
  farm: Farm
  log: Logger
  /** `comfyui`, `draft`, …: what the servers say they are, or are expected to be before the first has answered. */
  renderer: string
  plugins: readonly PluginFolder[]
  /** Absent where no plugin is one. */
  gates: Gates | undefined
  pictures: Pictures
  references: References
  shelf(): Promise<Shelf>
  runFolder(run: string): string
  thumbnails(run: string): string
  /** Runs that are being accepted at this moment. */
  accepting: Map<string, Promise<void>>
  /** Connects a server that is added. Throws SERVER_INVALID, and what its provider throws. */
  openServer(entry: ServerEntry): Promise<ServerOptions>
  /** What workers on other machines do; absent where the configuration names no engine for them. */
  work: RemoteWork | undefined
  /** Absent while no folder is watched. */
  intake?: { status(): IntakeStatus }
  /** Milliseconds since the epoch. */
  startedAt: number
}
