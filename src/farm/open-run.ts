import type { Logger } from 'pino'
import { type ErrorCode, FoundryError } from '../errors.js'
import type { Job } from '../plan/job.js'
import type { JobMaker } from '../plan/make-job.js'
import type { SlotIndex } from '../plan/slots.js'
import type { Attempt } from '../plugins/contract.js'
import type { Gates } from '../plugins/run-gates.js'
import type { CommitFacts, CommitPlace } from '../record/commit.js'
import { isSampled } from '../record/contact-sampling.js'
import type { Ledger } from '../record/ledger.js'
import type { Pictures } from '../record/pictures.js'
import type { RunState } from '../record/state.js'
import type { RunFile } from '../schema/run.js'
import type { ModelUse, Price } from '../schema/trace.js'
import type { RunBacklog } from './run-backlog.js'

/** What the desk needs of the rest of the foundry. */
export interface DeskHost {
  ledger: Ledger
  log: Logger
  version: string
  attemptsMax: number
  runFolder(run: string): string
  staging: string
  orphans: string
  thumbnail(run: string, slot: number): string
  pictures: Pictures
  readRun(run: string): Promise<{ file: RunFile; plugins: string[] }>
  /** The private texts of a run by series, read again from where they lie. Throws SOURCE_CHANGED. */
  privateTexts(run: RunState, file: RunFile): Promise<ReadonlyMap<number, string>>
  /** Identities of the heavy files, as the first server of the renderer tells them. */
  identify(models: readonly { folder: string; name: string }[], renderer: string): ModelUse[]
  /** Absent where no plugin is one. */
  gates?: Gates
  /** Every slot of the run is settled: journals `run-finished`, unless somebody has asked for more by then. */
  finish(run: RunState, index: SlotIndex): Promise<void>
  /** A slot waits again. */
  freed(): void
}

/** A run that is worked on. */
export interface OpenRun {
  state: RunState
  file: RunFile
  index: SlotIndex
  maker: JobMaker
  backlog: RunBacklog
  /** Ordinals that somebody works on: nobody else may take them. */
  taken: Set<number>
}

export interface RenderedFacts {
  server: { name: string; renderer?: string; version?: string }
  submittedSha256: string | undefined
  timings: Record<string, number>
  /** Its server is paid by the picture. */
  isPaid?: boolean
}

const thumbnailSide = 320

/** Where a slot's picture is committed. */
export function commitPlace(host: DeskHost, run: OpenRun, ordinal: number): CommitPlace {
  const { run: id } = run.state.accepted
  return {
    runFolder: host.runFolder(id),
    staging: host.staging,
    orphans: host.orphans,
    ...(isSampled(ordinal, run.index.count) && {
      thumbnail: { file: host.thumbnail(id, ordinal), side: thumbnailSide },
    }),
  }
}

/** What the rendering adds to the trace: the earlier attempts of the slot, then the one that gave the picture. */
export function commitFacts(
  host: DeskHost,
  run: OpenRun,
  { job, attempt }: { job: Job; attempt: Attempt },
  facts: RenderedFacts,
): CommitFacts {
  const earlier = run.state.failures.get(job.slot.ordinal) ?? []
  const price = priceOf(run.state, job, attempt)
  return {
    foundry: host.version,
    server: facts.server,
    ...(facts.submittedSha256 !== undefined && { submittedSha256: facts.submittedSha256 }),
    attempts: [
      ...earlier.map(({ number, server, outcome }) => ({ number, server, outcome })),
      { number: attempt.number, server: facts.server.name, outcome: 'done' },
    ],
    timings: facts.timings,
    ...(price && { price }),
    ...(facts.isPaid && { isPaid: true }),
  }
}

/** What the picture of an attempt costs, as its receipt told. */
export function priceOf({ leases }: RunState, { slot }: Job, { number }: Attempt): Price | undefined {
  const lease = leases.get(slot.ordinal)
  return lease?.attempt === number ? lease.price : undefined
}

/** Failures of the home or of all servers, which say nothing about a single run. */
const codesOfTheHome: ReadonlySet<string> = new Set<ErrorCode>([
  'SERVER_NONE',
  'FILE_WRITE_FAILED',
  'JOURNAL_BROKEN',
  'HOME_OWNERSHIP_LOST',
])

export function isOfTheHome(error: unknown): boolean {
  return error instanceof FoundryError && codesOfTheHome.has(error.code)
}

/** The models of a run's workflows, each once. */
export function heavyFiles(file: Pick<RunFile, 'plan'>): { folder: string; name: string }[] {
  const found = new Map<string, { folder: string; name: string }>()
  for (const { graph, binding } of Object.values(file.plan.workflows)) {
    for (const { node, input, folder } of binding.models ?? []) {
      const name = (graph[node] as { inputs?: Record<string, unknown> } | undefined)?.inputs?.[input]
      if (typeof name === 'string') found.set(`${folder}/${name}`, { folder, name: name.replaceAll('\\', '/') })
    }
  }
  return [...found.values()]
}
