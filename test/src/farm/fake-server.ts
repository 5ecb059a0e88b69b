import type { Job } from '../../../src/plan/job.js'
import {
  type Attempt,
  type Connection,
  type OutputFile,
  type RenderCause,
  type RenderEvent,
  RenderFailure,
} from '../../../src/plugins/contract.js'

interface Known {
  job: Job
  state: 'queued' | 'running' | 'done' | 'failed' | 'interrupted'
  cause?: RenderCause
}

/** How often things go wrong, 0–1. */
export interface Odds {
  /** The job fails on the server. */
  fails: number
  /** A submitted job is taken, and nobody is told. */
  unanswered: number
  /** A submitted job never arrives, and nobody can tell. */
  vanishes: number
  /** Any exchange finds nobody. */
  unreachable: number
  /** The report of a job ends before the job. */
  deserts: number
  /** The server forgets everything when a job begins. */
  forgets: number
}
export const noOdds: Odds = { fails: 0, unanswered: 0, vanishes: 0, unreachable: 0, deserts: 0, forgets: 0 }

const causes: RenderCause[] = ['node-error', 'out-of-memory', 'no-output', 'interrupted']

/** A server in memory that renders nothing and goes wrong by chance; it notes what no server should ever be asked. */
export class FakeServer {
  readonly wrongs: string[] = []
  renders = 0
  private readonly known = new Map<string, Known>()
  private readonly submitted = new Set<string>()

  constructor(
    private readonly options: {
      /** 0 to below 1, the same for the same seed. */
      chance: () => number
      odds: Odds
      picture: Buffer
      jobMs: number
      isDone: (job: Job) => boolean
    },
  ) {}

  connection(): Connection {
    return {
      probe: async () => {
        this.mayBeAway()
        return { renderer: 'draft', models: {}, modelSizes: {}, queueRemaining: 0, tookMs: 1 }
      },
      check: async () => [],
      submit: (job, attempt) => this.submit(job, attempt),
      follow: (attempt, signal) => this.follow(attempt, signal),
      fetch: async () => {
        this.mayBeAway()
        return this.options.picture
      },
      find: async ({ promptId }) => {
        this.mayBeAway()
        const { state } = this.known.get(promptId) ?? {}
        if (state === undefined || state === 'queued' || state === 'running') return state ?? 'unknown'
        return 'done'
      },
      cancel: async ({ promptId }) => {
        const job = this.known.get(promptId)
        if (job && job.state !== 'done' && job.state !== 'failed') job.state = 'interrupted'
        return job ? 'gone' : 'unknown'
      },
      close: async () => undefined,
    }
  }

  private async submit(job: Job, attempt: Attempt) {
    const { odds, isDone } = this.options
    this.mayBeAway()
    if (this.submitted.has(attempt.promptId)) this.wrongs.push(`attempt ${attempt.number} of ${job.id} was sent twice`)
    if (isDone(job)) this.wrongs.push(`${job.id} was sent after it was done`)
    const others = [...this.known.values()].filter(each => each.job.id === job.id && /queued|running/.test(each.state))
    if (others.length > 0) this.wrongs.push(`${job.id} was sent while another attempt was under way`)
    this.submitted.add(attempt.promptId)
    if (this.hits(odds.vanishes)) throw new RenderFailure('unknown-outcome', 'no answer, and nothing arrived')
    this.known.set(attempt.promptId, { job, state: 'queued' })
    void this.render(attempt.promptId)
    if (this.hits(odds.unanswered)) throw new RenderFailure('unknown-outcome', 'no answer')
    return { promptId: attempt.promptId, submittedSha256: 'f'.repeat(64), sizeBytes: 1 }
  }

  private async render(promptId: string): Promise<void> {
    const { odds, jobMs, chance } = this.options
    await rendering(jobMs * chance())
    if (this.hits(odds.forgets)) this.known.clear()
    const job = this.known.get(promptId)
    if (job?.state !== 'queued') return
    job.state = 'running'
    this.renders++
    await rendering(jobMs)
    if (job.state !== 'running') return
    const cause = this.hits(odds.fails) ? causes[Math.floor(chance() * causes.length)] : undefined
    if (cause) Object.assign(job, { state: 'failed', cause })
    else job.state = 'done'
  }

  private async *follow({ promptId }: Attempt, signal: AbortSignal): AsyncGenerator<RenderEvent> {
    const { odds } = this.options
    while (!signal.aborted) {
      await sleep(2)
      this.mayBeAway()
      if (this.hits(odds.deserts)) return
      const job = this.known.get(promptId)
      if (!job) return yield { kind: 'failed', failure: new RenderFailure('lost', 'it is gone') }
      if (job.state === 'interrupted')
        return yield { kind: 'failed', failure: new RenderFailure('interrupted', 'stopped') }
      if (job.cause) return yield { kind: 'failed', failure: new RenderFailure(job.cause, 'by chance') }
      const outputs: OutputFile[] = [{ filename: 'a.png', subfolder: '', type: 'output' }]
      if (job.state === 'done') return yield { kind: 'finished', outputs, timings: { renderMs: 1 } }
    }
  }

  private mayBeAway(): void {
    if (this.hits(this.options.odds.unreachable)) throw new RenderFailure('unreachable', 'nobody is there')
  }

  private hits(odds: number): boolean {
    return this.options.chance() < odds
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** As long as a rendering takes. One that nobody waits for any more keeps no process alive. */
function rendering(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
