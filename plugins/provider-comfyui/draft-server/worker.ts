import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { printExact } from './exact-json.js'
import { isRecord, type DraftGraph } from './graph.js'
import type { History } from './history.js'
import { JobHeap, type QueuedJob } from './job-heap.js'
import type { Ledger } from './ledger.js'
import { useFault } from './options.js'
import type { JobPlace } from './job-place.js'
import { runJob, type JobResult } from './run-job.js'
import type { Pace } from './pace.js'

export type WorkerPlace = Omit<JobPlace, 'isInterrupted' | 'fails' | 'loadModels'> & {
  /** Ends everything as a killed process would, and begins anew. */
  crash(): void
  history: History
  ledger: Ledger
}

/** The queue, and the one thread that works it off. */
export class Worker {
  readonly pending = new JobHeap()
  running: QueuedJob | undefined
  private interrupted = false
  private unwanted: 'nothing' | 'models' | 'results' = 'nothing'
  private current = new AbortController()
  private wake: () => void = () => undefined
  private modelSet = ''
  private loraSet = ''
  private failState: number
  private readonly closing = new AbortController()
  private readonly ended: Promise<void>

  constructor(private readonly place: WorkerPlace) {
    this.failState = place.faults.failSeed
    this.ended = this.work()
  }

  get remaining(): number {
    return this.pending.length + (this.running ? 1 : 0)
  }

  add(job: QueuedJob): void {
    this.pending.push(job)
    this.place.hub.sendStatus()
    this.wake()
  }

  delete(promptId: string): void {
    if (this.pending.remove(promptId)) this.place.hub.sendStatus()
  }

  clear(): void {
    this.pending.clear()
    this.place.hub.sendStatus()
  }

  /** Stops the running job at its next step; with an id only if that one runs. */
  interrupt(promptId?: string): void {
    if (promptId === undefined || this.running?.promptId === promptId) this.interrupted = true
  }

  /** Unloads the models, and with `withResults` forgets all node results: when idle at once, else after the job. */
  free(withResults: boolean): void {
    this.unwanted = withResults || this.unwanted === 'results' ? 'results' : 'models'
    if (!this.running) this.dropUnwanted()
  }

  /** Forgets everything that waits and runs, without a word to anyone. */
  lose(): void {
    this.pending.clear()
    this.current.abort()
    this.running = undefined
  }

  /** After a change of the faults. */
  look(): void {
    this.wake()
  }

  async close(): Promise<void> {
    this.closing.abort()
    this.lose()
    this.wake()
    await this.ended
  }

  private async work(): Promise<void> {
    while (!this.closing.signal.aborted) {
      const job = this.place.faults.workerDead ? undefined : this.pending.pop()
      if (job) await this.workOn(job)
      else await new Promise<void>(resolve => (this.wake = resolve))
      // Sockets and requests get their turn between jobs that take no time.
      await turn()
    }
  }

  private async workOn(job: QueuedJob): Promise<void> {
    const { hub, ledger, history, faults } = this.place
    this.running = job
    this.interrupted = false
    this.current = new AbortController()
    const { signal } = this.current
    hub.sendStatus()
    const entry = ledger.begin(job)
    const startedAt = performance.now()
    try {
      const result = await runJob(job, this.jobPlace(job), signal)
      entry.outputs.push(...picturesOf(result))
      if (useFault(faults, 'noOutputs')) result.entry.outputs = {}
      ledger.end(entry, result.outcome, result)
      this.loraSet = lorasOf(job.graph as DraftGraph)
      hub.running = undefined
      if (faults.historyLateMs > 0) await sleep(faults.historyLateMs, undefined, { signal })
      history.add(job.promptId, result.entry)
      this.running = undefined
      hub.sendStatus()
      const { client_id: clientId } = job.extraData
      if (typeof clientId === 'string') hub.send(clientId, 'executing', { node: null, prompt_id: job.promptId })
    } catch (thrown) {
      if (!signal.aborted) throw thrown
      hub.running = undefined
      if (entry.outcome === 'running') ledger.end(entry, 'lost', { serviceMs: performance.now() - startedAt })
    }
    this.dropUnwanted()
  }

  private jobPlace(job: QueuedJob): JobPlace {
    const { failOn, crashOn } = this.place.faults
    const holds = (text: string) => text !== '' && printExact(job.graph).includes(text)
    if (holds(crashOn)) setImmediate(() => this.place.crash())
    return {
      ...this.place,
      isInterrupted: () => this.interrupted,
      fails: this.drawFailure() || holds(failOn),
      loadModels: (graph, pace) => this.loadModels(graph, pace),
    }
  }

  /** Each job draws once, so that the same seed fails the same jobs. */
  private drawFailure(): boolean {
    const { faults } = this.place
    this.failState = (Math.imul(this.failState, 1664525) + 1013904223) >>> 0
    return useFault(faults, 'failNext') || this.failState / 2 ** 32 < faults.failRate
  }

  private async loadModels(graph: DraftGraph, pace: Pace): Promise<void> {
    const { modelLoadMs, loraLoadMs } = this.place.faults
    const modelSet = modelsOf(graph)
    const loraSet = lorasOf(graph)
    const isLoraNew = loraSet !== '' && loraSet !== this.loraSet
    const ms = (modelSet === this.modelSet ? 0 : modelLoadMs) + (isLoraNew ? loraLoadMs : 0)
    this.modelSet = modelSet
    this.loraSet = loraSet
    if (ms > 0) await pace.load(ms)
  }

  private dropUnwanted(): void {
    if (this.unwanted !== 'nothing') this.modelSet = this.loraSet = ''
    if (this.unwanted === 'results') this.place.cache.clear()
    this.unwanted = 'nothing'
  }
}

/** The heavy files of a graph, as one text. */
function modelsOf(graph: DraftGraph): string {
  return filesOf(graph, name => /_name\d?$/.test(name) && name !== 'lora_name' && name !== 'sampler_name')
}

function lorasOf(graph: DraftGraph): string {
  return filesOf(graph, name => name === 'lora_name')
}

function filesOf(graph: DraftGraph, isMeant: (input: string) => boolean): string {
  const names = Object.values(graph).flatMap(({ inputs }) =>
    Object.entries(inputs ?? {}).flatMap(([name, value]) => (isMeant(name) ? [String(value)] : [])),
  )
  return [...new Set(names)].sort().join('\n')
}

function picturesOf({ entry }: JobResult): Record<string, unknown>[] {
  return Object.values(entry.outputs).flatMap(({ images }) => (Array.isArray(images) ? images.filter(isRecord) : []))
}
