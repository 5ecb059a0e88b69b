import type { Loaded } from './choose-group.js'
import type { Limits } from './limits.js'
import type { RunGroup } from './run-backlog.js'
import type { Rates } from './speeds.js'

/** Waiting slots that need the same. `since` is told from now, and below 0. */
export interface WaitingGroup extends RunGroup {
  /** Jobs that the run may have in flight. */
  inFlightMax?: number
}

/** A server with what is on it. */
export interface ForecastServer {
  name: string
  renderer: string
  loaded: Loaded | undefined
  /** Until what is on it has ended. */
  busyMs: number
  /** What is on it. */
  running: readonly { run: string; work: string }[]
  limits: Limits
  /** Why it cannot render a group; undefined where it can, as far as one knows. */
  whyUnfit(group: WaitingGroup): string | undefined
}

export interface ForecastInput {
  groups: readonly WaitingGroup[]
  /** Those that take jobs now. */
  servers: readonly ForecastServer[]
  rates: readonly Rates[]
  limits: Limits
  /** Choices that are played through at most. */
  stepsMax?: number
}

export interface TimeRange {
  lowS: number
  highS: number
}

export interface Switches {
  models: number
  loras: number
}

export interface Share {
  server: string
  slots: number
  /** Seconds that the server works for it; what was never measured is no part of them. */
  workS: number
}

export interface RunForecast {
  run: string
  slots: number
  shares: Share[]
  switches: Switches
  /** From now until its last picture; absent where something that it needs was never measured. */
  endsIn?: TimeRange
  /** Slots that no server can render now, with what each says. */
  unfit: { slots: number; loras: readonly string[]; work: string; servers: { server: string; reason: string }[] }[]
  /** What was never measured, and is therefore no part of the range, or the reason why there is none. */
  unmeasured: Unmeasured
}

export interface Unmeasured {
  /** Nobody has rendered these yet. */
  works: string[]
  /** Loading was seen to be needed, and never timed. */
  loading: boolean
}
