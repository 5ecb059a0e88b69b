/**
 * What a plugin may rely on. Plugins of this repository and of others import nothing else from the core
 * (as `persona-foundry/plugin`). A plugin is a plain object; importing it has no side effect.
 */
import type { Logger } from 'pino'
import type { Problem } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { ServerEntry } from '../schema/config.js'
import type { Reference } from '../schema/reference.js'
import type { Fragment } from '../schema/run.js'
import type { Price } from '../schema/trace.js'
import type { Storage } from '../record/storage.js'

export { defineErrors, FoundryError, describeProblem, hasErrors, reasonOf } from '../errors.js'
export type { Problem } from '../errors.js'
export type { FromSchema } from '../schema/from-schema.js'
export type { Lora, Fragment } from '../schema/run.js'
export type { ModelUse, Price, RequestPart } from '../schema/trace.js'
export type { Storage } from '../record/storage.js'
export { type Reference, referenceExtensions } from '../schema/reference.js'
export type { ServerEntry } from '../schema/config.js'
export type { Job, GraphJob, Slot } from '../plan/job.js'
export { hashJson, isSha256 } from '../files/hash.js'
export { hideWords } from '../library/hide-words.js'
export { parsePythonJson } from '../files/python-json.js'
export { joinSignals, withAnySignal } from '../files/join-signals.js'
export { withinTime } from '../files/within-time.js'
export { pngHeaderEnd, pngSize, pngTextChunks, readPngText, withoutPngText, withPngText } from '../record/png-text.js'
export type { PngText } from '../record/png-text.js'
export { isLink, plainValue } from '../workflow/api-graph.js'
export { cleanText, elideText, textPath, textWidth, wrapText } from '../record/draw-text.js'
export type { TextWeight } from '../record/draw-text.js'
export { withSavePrefix } from '../workflow/canonical-graph.js'
export { checkGraph } from '../workflow/check-graph.js'
export { referenceIn, referenceName } from '../workflow/references.js'
export { modelFolderOf } from '../workflow/node-facts.js'
export type { ApiGraph, ApiNode, Link } from '../workflow/api-graph.js'

/** Speaks to one kind of outside renderer. */
export interface Provider {
  kind: 'provider'
  name: string
  version: string
  /** JSON schema of `options` in a server entry. */
  options: object
  /** Cheap and offline: opening never waits for the server; `probe` does. */
  open(server: ServerEntry, host: ProviderHost): Promise<Connection>
  /** Providers that can draw drafts start an embedded server on loopback and return its URL. */
  startDraftServer?(options: Record<string, unknown>, host: ProviderHost): Promise<DraftServer>
}

export interface DraftServer {
  url: string
  close(): Promise<void>
}

export interface ProviderHost {
  log: Logger
  /** Ends everything the connection does. */
  signal: AbortSignal
  /**
   * The bytes of a reference picture of a job, proven by their hash. Rejects where they are gone, with a failure that ends the job.
   * Absent where no job is sent.
   */
  readReference?(reference: Reference): Promise<Buffer>
}

/** A server, as one provider sees it. Every method rejects with a typed failure (`RenderFailure`) or a FoundryError. */
export interface Connection {
  /**
   * Each job that it takes costs money: none is sent a second time while nobody knows what became of the first, and new runs are
   * rendered elsewhere unless they ask for its renderer, or the home lists nothing else.
   */
  readonly isPaid?: boolean
  /** What the server is and has. Rejects when it cannot be reached within its time limit. */
  probe(signal: AbortSignal): Promise<Probe>
  /** Everything that keeps this job from running here: missing model, node, LoRA. Does not throw for those. */
  check(job: Job, signal: AbortSignal): Promise<JobProblem[]>
  /**
   * Hands the job over. The attempt (with its prompt id) is already journaled. When the outcome of the exchange is unknown
   * this rejects with cause `unknown-outcome`; the caller then asks `find`, and never submits the same attempt twice.
   */
  submit(job: Job, attempt: Attempt, signal: AbortSignal): Promise<Receipt>
  /**
   * The receipt of an attempt whose submission was not heard to the end, or not journaled before a crash. For services that give
   * jobs ids of their own, and can look for one by what it asks for. Rejects with cause `in-doubt` where nothing is found.
   * `taken` are the ids that other attempts have.
   */
  adopt?(job: Job, attempt: Attempt, options: { taken: ReadonlySet<string>; signal: AbortSignal }): Promise<Receipt>
  /** What one picture of a job costs; undefined where this is not paid by the picture. */
  priceOf?(job: Job): Price | undefined
  /** Events of a submitted attempt, until `finished` or `failed`. May be called again after a crash or a lost socket. */
  follow(attempt: Attempt, signal: AbortSignal): AsyncIterable<RenderEvent>
  /** The bytes of one output, length-checked. */
  fetch(output: OutputFile, signal: AbortSignal): Promise<Buffer>
  /** Nobody reads these bytes of `fetch` any more, so that their memory can hold the next picture. */
  release?(bytes: Buffer): void
  /** Where an attempt is now. `unknown` is never "done". */
  find(attempt: Attempt, signal: AbortSignal): Promise<'queued' | 'running' | 'done' | 'unknown'>
  /** `gone`: it will not render · `ran`: it had ended · `unknown`: nobody can tell yet. */
  cancel(attempt: Attempt, signal: AbortSignal): Promise<'gone' | 'ran' | 'unknown'>
  /**
   * Takes an attempt back that waits there. True when it will certainly not be rendered; one that has begun, or that nobody can
   * tell of, is left alone.
   */
  withdraw?(attempt: Attempt, signal: AbortSignal): Promise<boolean>
  /** Forgets a settled attempt on the server, where it keeps history. */
  forget?(attempt: Attempt, signal: AbortSignal): Promise<void>
  /** Frees memory of the server. */
  free?(signal: AbortSignal): Promise<void>
  /** Descriptions of all node classes, in the form of ComfyUI's `/object_info`; absent where a renderer has no graphs. */
  objectInfo?(signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>
  /** Puts a reference picture where graphs can load it, named by its content. Gives the name that a graph calls it by. */
  upload?(bytes: Buffer, sha256: string, extension: string, signal: AbortSignal): Promise<string>
  close(): Promise<void>
}

/**
 * Holds the jobs that the owner of a home has offered, and the claims on them. It is an index: the journal is the truth, and an
 * engine that was lost is rebuilt by offering again.
 */
export interface EnginePlugin {
  kind: 'engine'
  name: string
  version: string
  /** JSON schema of the options. */
  options: object
  /**
   * Reaches what it needs and checks it. Rejects with a failure that says what to set; one whose code ends in `_UNREACHABLE` or
   * `_AWAY` may pass, and is tried again.
   */
  open(options: Readonly<Record<string, unknown>>, host: EngineHost): Promise<QueueEngine>
}

export interface EngineHost {
  log: Logger
  /** Names the home: the same in every process that works for it, another one for another home. */
  home: string
}

/** A job that one place works on. */
export interface Claim {
  job: Job
  lane: string
  /** Tells this claim from every other one, also of the same job. */
  token: string
}

/**
 * Waiting jobs by lane. A lane is named by who offers, with up to 200 characters of `[a-z0-9:/._-]`; an engine reads nothing in it.
 * A method that rejects may have done its work in part. Asking again does no harm, and neither does offering all again that should wait.
 */
export interface QueueEngine {
  /** Appends jobs to a lane. One that waits already or is claimed, in whatever lane, stays where it is. */
  offer(lane: string, jobs: readonly Job[]): Promise<void>
  /** The oldest job of a lane, or nothing. Each job is given to one at a time. */
  claim(lane: string): Promise<Claim | undefined>
  /** Keeps a claim alive: asked for every `extendEveryMs`. False when it was lost, and the job may be with another. */
  extend(claim: Claim): Promise<boolean>
  /** Forgets a claimed job. Of a lost claim: nothing. */
  finish(claim: Claim): Promise<void>
  /** Puts a claimed job back at the head of its lane. Of a lost claim: nothing. */
  release(claim: Claim): Promise<void>
  /** Takes out those of these jobs that nobody has claimed, and answers them. */
  cancel(jobs: readonly string[]): Promise<string[]>
  /** Waiting jobs by lane, none of them 0; the lane whose head was offered first comes first. */
  counts(): Promise<ReadonlyMap<string, number>>
  /** Takes out everything that nobody has claimed. */
  drain(): Promise<Job[]>
  /** Ends what the engine does in this process. Jobs and claims that outlive the process stay as they are. */
  close(): Promise<void>
}

/** What plugins that are opened once for a home get. */
export interface PluginHost {
  log: Logger
}

/** Where workers on other machines put their pictures, until the owner of the home has them. */
export interface StoragePlugin {
  kind: 'storage'
  name: string
  version: string
  /** JSON schema of `storage.options` of foundry.yaml. */
  options: object
  /** Rejects where the options cannot be right. What is only away now is told by the methods, each of which has a minute. */
  open(options: Readonly<Record<string, unknown>>, host: PluginHost): Promise<Storage>
}

/** Judges what is about to be sent, and what is about to be kept. */
export interface GatePlugin {
  kind: 'gate'
  name: string
  version: string
  /** JSON schema of what `plugins.<folder>` of foundry.yaml may say. */
  options: object
  open(options: Readonly<Record<string, unknown>>, host: PluginHost): Gate | Promise<Gate>
}

/**
 * Each hook is asked for every job, gate after gate in the order of their names, and has 5 s. The same facts must always have the same
 * verdict, since a job is made again after a crash. What fails, hangs or answers anything else lets nothing through.
 */
export interface Gate {
  beforeDispatch?(facts: DispatchFacts): DispatchVerdict | Promise<DispatchVerdict>
  beforeCommit?(facts: PictureFacts): CommitVerdict | Promise<CommitVerdict>
  close?(): void | Promise<void>
}

/** What every gate learns of a slot. */
export interface SlotFacts {
  run: string
  slot: string
  subject: string
  template: string
  view: string
  seed: number
  renderer: string
}

/** A job that is about to be made. Private words are among the words: a gate writes them nowhere, its reasons included. */
export interface DispatchFacts extends SlotFacts {
  family: string
  workflow: string
  /** Pixels. */
  width: number
  height: number
  positive: readonly Fragment[]
  negative: readonly Fragment[]
  /** Texts that parameters of the workflow are set to, by their names. */
  parameters: Readonly<Record<string, string>>
  talents: readonly { id: string; weight: number }[]
}

/**
 * `redact`: every occurrence of `from` in the words becomes `to`, and the next gate sees it so · `refuse`: the slot fails with the
 * reason, and nothing is sent.
 */
export type DispatchVerdict =
  | { verdict: 'pass' }
  | { verdict: 'redact'; words: readonly { from: string; to: string }[]; reason: string }
  | { verdict: 'refuse'; reason: string }

/** A rendered picture that is about to be committed. */
export interface PictureFacts extends SlotFacts {
  server: string
  attempt: number
  /** The file as the server gave it. Not to be changed. */
  bytes: Uint8Array
}

/** `hold`: the picture is kept beside, and a human decides · `refuse`: it is kept beside, and the slot is tried again. */
export type CommitVerdict = { verdict: 'pass' } | { verdict: 'hold' | 'refuse'; reason: string }

/** Is told what happens. */
export interface ObserverPlugin {
  kind: 'observer'
  name: string
  version: string
  /** JSON schema of what `plugins.<folder>` of foundry.yaml may say. */
  options: object
  open(options: Readonly<Record<string, unknown>>, host: PluginHost): Observer | Promise<Observer>
}

export interface Observer {
  /** One event after the other, in order; the next is told when this one is done, or after 5 s. What fails is counted and logged. */
  told(event: ToldEvent): void | Promise<void>
  close?(): void | Promise<void>
}

/** As in the journal, without paths: `slot-done`, `run-finished`, … No word of a prompt is part of one. */
export interface ToldEvent {
  kind: string
  /** Milliseconds since the epoch. */
  at: number
  readonly [field: string]: unknown
}

export type CodePlugin = Provider | EnginePlugin | StoragePlugin | GatePlugin | ObserverPlugin

/**
 * How the hooks of several plugins are joined. `chain`: one after the other, each sees what the one before has made of it ·
 * `first`: the first plugin that has it answers · `all`: each is told, answers are ignored.
 */
export const hookKinds = {
  startDraftServer: 'first',
  beforeDispatch: 'chain',
  beforeCommit: 'chain',
  told: 'all',
} as const satisfies Record<string, 'chain' | 'first' | 'all'>

/** A claim that nobody extended for three times as long is lost. */
export const extendEveryMs = 4000

/** What keeps a job from running on a server. */
export interface JobProblem extends Problem {
  /** Present where nothing is wrong but that the server lacks something. */
  cause?: 'missing-model' | 'missing-node'
}

/** One try of a job. */
export interface Attempt {
  job: string
  /** From 1, only grows. */
  number: number
  /** Canonical UUID derived from job and number. */
  promptId: string
  /** When it was begun, in milliseconds since the epoch; absent outside of any run. */
  leasedAt?: number
  /** Of its receipt, where an earlier process had one. */
  remote?: string
}

export interface Receipt {
  promptId: string
  /** SHA-256 of the graph as sent, without save prefix. */
  submittedSha256: string
  /** Bytes on the wire. */
  sizeBytes: number
  /** What the service calls the job, where it gives ids of its own. Journaled before anything waits for the job. */
  remote?: string
  /** What its picture costs, where it costs anything. */
  price?: Price
}

export interface OutputFile {
  filename: string
  subfolder: string
  type: string
}

export type RenderEvent =
  | { kind: 'started'; at: number }
  | { kind: 'progress'; value: number; max: number; node?: string }
  | { kind: 'preview'; mime: string; bytes: Buffer }
  | { kind: 'output'; output: OutputFile }
  | { kind: 'finished'; outputs: OutputFile[]; timings: Record<string, number> }
  | { kind: 'failed'; failure: RenderFailure }

/**
 * Why an attempt did not give a picture.
 * `lost`: the server no longer knows it · `crashed`: so, and it was being rendered · `silent`: it has not ended in its time ·
 * `withdrawn`: it was taken back before it began · `bad-output`: the picture is black, cut off, of another size ·
 * `too-fast`: it came sooner than it can have been rendered · `moderated`: the service refuses what it shows ·
 * `in-doubt`: it may be paid for, and nobody has its picture: only a human begins it again ·
 * `locked-out`: the account behind the server may not render now, for want of credit or credentials.
 */
export type RenderCause =
  | 'out-of-memory'
  | 'missing-model'
  | 'missing-node'
  | 'invalid-graph'
  | 'node-error'
  | 'interrupted'
  | 'no-output'
  | 'bad-output'
  | 'too-fast'
  | 'lost'
  | 'crashed'
  | 'silent'
  | 'withdrawn'
  | 'unreachable'
  | 'unknown-outcome'
  | 'refused'
  | 'moderated'
  | 'in-doubt'
  | 'locked-out'

export class RenderFailure extends Error {
  override readonly name = 'RenderFailure'
  constructor(
    readonly reason: RenderCause,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** What a server is and has. Fields that a server does not tell are absent. */
export interface Probe {
  /** `comfyui`, `draft`, … */
  renderer: string
  version?: string
  /** Names by folder: `checkpoints`, `loras`, … as the server spells them. */
  models: Record<string, readonly string[]>
  /** Sizes in bytes by folder and name, where told. */
  modelSizes: Record<string, Readonly<Record<string, number>>>
  nodeClasses?: number
  vramTotalBytes?: number
  vramFreeBytes?: number
  queueRemaining: number
  /** How the server caches node results: classic, lru, none, ram. */
  cacheMode?: string
  /** Milliseconds of the probe. */
  tookMs: number
}
