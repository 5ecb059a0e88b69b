import type { NodeDefinition } from './node-definition.js'

/** The two ComfyUI versions whose behaviour is known from recordings. */
export type DraftVersion = '0.12.1' | '0.3.64'

/** A model file as the server claims to have it. Size 0 stands for a file that no loader can read. */
export interface DraftModel {
  sizeBytes: number
  /** What `/view_metadata` answers for it. */
  metadata?: Record<string, string>
}

export interface DraftServerOptions {
  /** 0 (default): any free one. Always on 127.0.0.1. */
  port?: number
  /** Default 0.12.1. */
  version?: DraftVersion
  /** `any` (default): every model and LoRA name is accepted. Otherwise names by folder, as `/models` lists them. */
  models?: 'any' | Record<string, Record<string, DraftModel>>
  /** Accepts node classes that it does not know (default true). */
  lenient?: boolean
  /** Node classes beside the built-in ones. */
  nodes?: readonly NodeDefinition[]
  /** Files that the input folder holds at the start, by path under it. */
  input?: Record<string, Buffer>
  /** Does not say that it paints drafts: for tests of what is asked of a real server. */
  isDisguised?: boolean
  faults?: Partial<Faults>
  /** Every start and end of a job is appended here as one JSON line, and survives the death of the process. */
  ledgerFile?: string
  /** Largest request body. Default 100 MiB. */
  bodyBytesMax?: number
}

/**
 * How the server misbehaves, all off by default; may be changed while it runs.
 * Fields that count ("of the next …") go down by one with each use.
 */
export interface Faults {
  /** Least duration of a job. */
  jobMs: number
  /** Duration of one sampling step. */
  stepMs: number
  /** Steps reported per sampler instead of what the graph says. 0: as in the graph. */
  steps: number
  /** Cost of loading when the set of model files differs from that of the job before. */
  modelLoadMs: number
  /** Cost of loading when the LoRAs differ from those of the job before. */
  loraLoadMs: number
  /** Share of jobs that fail, 0…1, drawn from `failSeed`. */
  failRate: number
  failSeed: number
  /** How many of the next jobs fail. */
  failNext: number
  failWith: 'error' | 'out-of-memory'
  /** Jobs whose graph, as JSON, contains this text fail. Empty: none. */
  failOn: string
  /** Such jobs take the server down, as by a kill and a start. Empty: none. */
  crashOn: string
  /** The worker is dead: HTTP answers, jobs are accepted, nothing runs. */
  workerDead: boolean
  /** Milliseconds between `execution_success` and the entry in the history. */
  historyLateMs: number
  /** All sockets are cut this often. 0: never. */
  dropSocketsEveryMs: number
  /** Sockets stay open and carry nothing. */
  silentSockets: boolean
  /** The answer to a submitted job comes this late; the job itself is queued at once. */
  postDelayMs: number
  /** How many of the next submitted jobs are queued while their connection is closed unanswered. */
  postLost: number
  /** How many of the next pictures are cut short in transfer. */
  viewTruncated: number
  /** How many of the next jobs report no output. */
  noOutputs: number
  /** How many of the next pictures have other dimensions than asked for. */
  wrongSize: number
  /** How many of the next pictures are black. */
  black: number
  /** How many of the next pictures have the pixels of the one before them. */
  repeat: number
  /** From this picture on, counted from 1 over the life of the server, the character drifts. 0: never. */
  driftFrom: number
  /** How far it then drifts, 0…1. */
  driftBy: number
  /** Serves one prepared picture per size, each with its own texts: for measuring everything but painting. */
  prepared: boolean
  /** Sends preview frames while sampling. */
  previews: boolean
}

export const noFaults: Readonly<Faults> = {
  jobMs: 0,
  stepMs: 0,
  steps: 0,
  modelLoadMs: 0,
  loraLoadMs: 0,
  failRate: 0,
  failSeed: 1,
  failNext: 0,
  failWith: 'error',
  failOn: '',
  crashOn: '',
  workerDead: false,
  historyLateMs: 0,
  dropSocketsEveryMs: 0,
  silentSockets: false,
  postDelayMs: 0,
  postLost: 0,
  viewTruncated: 0,
  noOutputs: 0,
  wrongSize: 0,
  black: 0,
  repeat: 0,
  driftFrom: 0,
  driftBy: 0.6,
  prepared: false,
  previews: false,
}

/** Takes one use from a counting fault: true while some are left. */
export function useFault(faults: Faults, name: CountingFault): boolean {
  if (faults[name] <= 0) return false
  faults[name]--
  return true
}

type CountingFault = 'failNext' | 'postLost' | 'viewTruncated' | 'noOutputs' | 'wrongSize' | 'black' | 'repeat'
