import type { SlotRange } from '../plan/slot-ranges.js'
import type { ServerEntry, ServerMode } from '../schema/config.js'
import type { Band } from '../schema/run.js'
import type { ModelUse, Price } from '../schema/trace.js'

/** Milliseconds since the epoch. */
type Time = number

/**
 * Everything that ever happens in a home, as the journal keeps it. State is the replay of these, in order.
 * Slots are named by ordinal. No prompt, transcript or person's data is ever part of an event.
 */
export type FoundryEvent =
  | { kind: 'owner-started'; at: Time; epoch: number; pid: number; version: string }
  | RunAccepted
  | { kind: 'run-planned'; at: Time; run: string; models: ModelUse[] }
  | AttemptLeased
  | AttemptSubmitted
  | {
      kind: 'attempt-ended'
      at: Time
      run: string
      slot: number
      attempt: number
      server: string
      outcome: string
      message: string
    }
  | SlotDone
  | { kind: 'slot-failed'; at: Time; run: string; slot: number; reason: string }
  | { kind: 'slot-held'; at: Time; run: string; slot: number; reason: string }
  /** The picture or the trace of a done slot is gone from the disk: the slot waits again. */
  | { kind: 'slot-lost'; at: Time; run: string; slot: number; reason: string }
  | { kind: 'run-changed'; at: Time; run: string; priority?: Band; weight?: number; labels?: string[]; by: string }
  | RunAct
  /** What waits for approval after the preview may be rendered. */
  | { kind: 'run-approved'; at: Time; run: string; by: string }
  | { kind: 'run-finished'; at: Time; run: string; state: 'done' | 'failed' | 'cancelled'; reportSha256?: string }
  | { kind: 'run-removed'; at: Time; run: string; by: string }
  | { kind: 'drop-refused'; at: Time; drop: string; root: string; sha256: string; problems: number; code: string }
  | { kind: 'drop-accepted'; at: Time; drop: string; root: string; sha256: string; run: string; renderer: string }
  | { kind: 'drop-gone'; at: Time; drop: string; root: string }
  | { kind: 'orphan-kept'; at: Time; run: string; slot: number; attempt: number; file: string }
  | ServerAct

/** An operator's act on a server. */
export type ServerAct =
  /** Its secrets stand in the environment, as `${NAME}`. */
  | { kind: 'server-added'; at: Time; server: string; entry: ServerEntry; by: string }
  | { kind: 'server-removed'; at: Time; server: string; by: string }
  | { kind: 'server-mode'; at: Time; server: string; mode: ServerMode; by: string }
  /** What it has done wrong counts no more: nothing of that is part of the state. */
  | { kind: 'server-forgiven'; at: Time; server: string; by: string }

/** An operator's act on a run, or on some of its slots alone. */
export interface RunAct {
  kind: 'run-paused' | 'run-resumed' | 'run-cancelled' | 'run-retried'
  at: Time
  run: string
  /** The slots that are meant; absent where the whole run is. */
  slots?: SlotRange[]
  /** What the operator called them: the id of a persona or of a slot. */
  part?: string
  by: string
}

export interface RunAccepted {
  kind: 'run-accepted'
  at: Time
  run: string
  /** Random: makes the prompt ids of this run its own. */
  nonce: string
  key: string
  version: string
  dropKind: 'persona-manifest' | 'persona-kit' | 'render-order'
  /** The drop as a file, to read private texts again and to verify it. */
  drop: string
  dropSha256: string
  /** Further input files by logical name, where the library does not know them. */
  files: Record<string, string>
  renderer: string
  slots: number
  /** Ordinals with nothing to render, and why. */
  skipped: [number, string][]
  /** True when nothing may be taken over from an earlier run. */
  fresh: boolean
  /** Jobs of this run that may be on servers at once, where the user bounded them. */
  inFlightMax?: number
  /** The call folder that receives the older layout as well. */
  callFolder?: string
  /** Absent for the usual ones. */
  priority?: Band
  weight?: number
  /** What its servers must be labelled with. */
  labels?: string[]
  /** Every so manieth slot is rendered first; the others wait for approval. */
  preview?: number
  by: string
}

export interface AttemptLeased {
  kind: 'attempt-leased'
  at: Time
  run: string
  slot: number
  job: string
  attempt: number
  server: string
  promptId: string
}

/** The server has taken it. */
export interface AttemptSubmitted {
  kind: 'attempt-submitted'
  at: Time
  run: string
  slot: number
  attempt: number
  submittedSha256: string
  /** What the service calls it, where it gives ids of its own. */
  remote?: string
  price?: Price
}

export interface SlotDone {
  kind: 'slot-done'
  at: Time
  run: string
  slot: number
  file: string
  sha256: string
  traceSha256: string
  renderHash: string
  sizeBytes: number
  /** 0 when the picture was taken over from an earlier run. */
  attempt: number
  /** Absent where it was taken over, and in journals of earlier versions. */
  server?: string
  /** What was paid for it. */
  price?: Price
}

/** An event as it may leave the home: paths of this machine are the journal's alone. */
export function withoutPaths(event: FoundryEvent): object {
  if (event.kind === 'run-accepted') {
    const { drop: _drop, callFolder: _callFolder, files: _files, ...shown } = event
    return shown
  }
  if (event.kind === 'drop-accepted' || event.kind === 'drop-refused' || event.kind === 'drop-gone') {
    const { root: _root, ...shown } = event
    return { ...shown, drop: event.drop.slice(event.root.length + 1) }
  }
  return event
}
