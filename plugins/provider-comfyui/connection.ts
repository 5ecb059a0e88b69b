import { setMaxListeners } from 'node:events'
import {
  type Attempt,
  type Connection,
  type Job,
  type OutputFile,
  type Probe,
  type JobProblem,
  type ProviderHost,
  type Receipt,
  type RenderEvent,
  RenderFailure,
  type ServerEntry,
} from '../../src/plugins/contract.js'
import { type Address, readAddress } from './address.js'
import { cancelAttempt, type Cancellation, withdrawAttempt } from './cancel-attempt.js'
import { Catalogue, doubtMs } from './catalogue.js'
import { checkJob, problemsOfTarget } from './check-job.js'
import { type SocketTimes, socketTimes } from './event-socket.js'
import { HistoryEraser } from './history-eraser.js'
import { interruption } from './history.js'
import { Http } from './http.js'
import { PictureMemory } from './picture-memory.js'
import { type PollTimes, pollTimes } from './poller.js'
import { probeServer } from './probe.js'
import { type SentGraph, toSentGraph } from './sent-graph.js'
import { askHistory, askQueue } from './server-state.js'
import { submitJob } from './submit-job.js'
import { Tracker } from './tracker.js'
import { ReferenceNames } from './reference-names.js'
import { uploadPicture } from './upload.js'

const pictureSizeBytesMax = 512 * 1024 * 1024

/** How long things may take, in milliseconds. Left out: what suits real servers. */
export type Times = Partial<SocketTimes & PollTimes>

/** Opens a connection to one ComfyUI server. Asks nothing of the server yet. Throws comfyFailures of a bad entry. */
export async function openConnection(server: ServerEntry, host: ProviderHost, times: Times = {}): Promise<Connection> {
  return new ComfyConnection({ server, host, times, address: await readAddress(server) })
}

interface Parts {
  server: ServerEntry
  host: ProviderHost
  times: Times
  address: Address
}

class ComfyConnection implements Connection {
  readonly #server: ServerEntry
  readonly #address: Address
  readonly #http: Http
  readonly #catalogue: Catalogue
  readonly #tracker: Tracker
  readonly #eraser: HistoryEraser
  readonly #memory = new PictureMemory()
  readonly #references: ReferenceNames
  readonly #end = new AbortController()
  readonly #graceMs: number
  readonly #stop = (): void => void this.close()
  readonly #hostSignal: AbortSignal

  constructor({ server, host, times, address }: Parts) {
    this.#server = server
    this.#address = address
    this.#graceMs = times.graceMs ?? server.graceSeconds * 1000
    this.#hostSignal = host.signal
    // Every exchange listens.
    setMaxListeners(0, this.#end.signal)
    this.#http = new Http(address, server.timeoutSeconds * 1000)
    this.#references = new ReferenceNames(this.#http, host, this.#end.signal)
    this.#catalogue = new Catalogue({ http: this.#http, label: address.label, signal: this.#end.signal })
    this.#eraser = new HistoryEraser(this.#http, this.#end.signal)
    this.#tracker = new Tracker({
      address,
      http: this.#http,
      log: host.log.child({ server: server.name }),
      // After a restart another server may stand behind the address.
      socketLost: () => {
        this.#catalogue.clear()
        this.#references.forget()
      },
      socketTimes: { ...socketTimes, ...times },
      pollTimes: { ...pollTimes, graceMs: this.#graceMs, ...times },
    })
    if (host.signal.aborted) this.#stop()
    host.signal.addEventListener('abort', this.#stop, { once: true })
  }

  async probe(signal: AbortSignal): Promise<Probe> {
    return probeServer({ http: this.#http, catalogue: this.#catalogue }, signal)
  }

  async check(job: Job): Promise<JobProblem[]> {
    const identity = await this.#catalogue.identity()
    const sent = await this.#translate(job, { job: job.id, number: 0, promptId: '' })
    return checkJob({ job, sent, identity, catalogue: this.#catalogue })
  }

  async submit(job: Job, attempt: Attempt, signal: AbortSignal): Promise<Receipt> {
    const submitter = { http: this.#http, tracker: this.#tracker, label: this.#address.label }
    const submitOnce = async (): Promise<Receipt> => {
      const { graph } = await this.#requireFit(job, attempt)
      return submitJob(submitter, { job, attempt, graph }, signal)
    }
    try {
      return await submitOnce()
    } catch (thrown) {
      const isRefused = thrown instanceof RenderFailure && thrown.reason === 'invalid-graph'
      if (!isRefused || !job.references) throw thrown
      // It took nothing. Somebody may have emptied its input folder since the pictures were uploaded.
      this.#references.forget()
      return submitOnce()
    }
  }

  follow(attempt: Attempt, signal: AbortSignal): AsyncIterable<RenderEvent> {
    return this.#tracker.follow(attempt, signal)
  }

  async fetch({ filename, subfolder, type }: OutputFile, signal: AbortSignal): Promise<Buffer> {
    const query = Object.entries({ filename, subfolder, type }).map(
      ([name, value]) => `${name}=${encodeURIComponent(value)}`,
    )
    const answer = await this.#http.get(`/view?${query.join('&')}`, {
      signal,
      sizeBytesMax: pictureSizeBytesMax,
      join: (parts, sizeBytes) => this.#memory.join(parts, sizeBytes),
    })
    if (answer.status === 404) throw new RenderFailure('no-output', `The picture ${filename} is gone from the server`)
    if (answer.status !== 200) throw this.#http.refusal(answer, '/view')
    const sizeBytes = answer.sizeBytes ?? answer.bytes.length
    if (answer.bytes.length !== sizeBytes || sizeBytes === 0) {
      const message = `The picture ${filename} came with ${answer.bytes.length} of ${sizeBytes} bytes`
      throw new RenderFailure('unreachable', message)
    }
    return answer.bytes
  }

  release(bytes: Buffer): void {
    this.#memory.giveBack(bytes)
  }

  /** The queue first: a job leaves it for the history in one step, and is never in neither. */
  async find(attempt: Attempt, signal: AbortSignal): Promise<'queued' | 'running' | 'done' | 'unknown'> {
    const queue = await askQueue(this.#http, signal)
    if (queue.running.has(attempt.promptId)) return 'running'
    if (queue.pending.has(attempt.promptId)) return 'queued'
    const entry = await askHistory(this.#http, attempt.promptId, signal)
    if (!entry) return 'unknown'
    // Following it now needs no second look.
    this.#tracker.findOrTrack(attempt).settleByHistory(entry)
    return 'done'
  }

  async cancel(attempt: Attempt, signal: AbortSignal): Promise<Cancellation> {
    const outcome = await cancelAttempt(this.#http, attempt, signal)
    if (outcome !== 'gone') return outcome
    const tracked = this.#tracker.find(attempt.promptId)
    if (tracked?.unansweredAt !== undefined && performance.now() - tracked.unansweredAt < this.#graceMs)
      return 'unknown'
    tracked?.settle({ kind: 'failed', failure: interruption() })
    return 'gone'
  }

  async withdraw(attempt: Attempt, signal: AbortSignal): Promise<boolean> {
    const isGone = await withdrawAttempt(this.#http, attempt, signal)
    if (isGone) this.#tracker.drop(attempt.promptId)
    return isGone
  }

  async forget(attempt: Attempt): Promise<void> {
    this.#tracker.drop(attempt.promptId)
    await this.#eraser.erase(attempt.promptId)
  }

  async free(signal: AbortSignal): Promise<void> {
    await this.#http.command('/free', { unload_models: true, free_memory: true }, { signal })
  }

  /** Asked afresh: whoever brings a workflow may have installed its nodes a moment ago. */
  async objectInfo(): Promise<Readonly<Record<string, unknown>>> {
    return this.#catalogue.allClasses(doubtMs)
  }

  async upload(bytes: Buffer, sha256: string, extension: string, signal: AbortSignal): Promise<string> {
    return uploadPicture(this.#http, { bytes, sha256, extension }, signal)
  }

  async close(): Promise<void> {
    this.#hostSignal.removeEventListener('abort', this.#stop)
    this.#end.abort()
    this.#tracker.close()
    await this.#http.close()
  }

  /** The graph with this server's names. Whatever the server lacked is looked for once more before it counts. */
  async #translate(job: Job, attempt: Attempt, references?: ReadonlyMap<string, string>): Promise<SentGraph> {
    const sent = await this.#translateAsOf(job, attempt, { references })
    return sent.problems.length === 0 ? sent : this.#translateAsOf(job, attempt, { references, ageMs: doubtMs })
  }

  async #translateAsOf(
    job: Job,
    attempt: Attempt,
    { references, ageMs }: { references: ReadonlyMap<string, string> | undefined; ageMs?: number },
  ): Promise<SentGraph> {
    const { renderer } = await this.#catalogue.identity()
    const takesAnyName = renderer === 'draft'
    const folders = takesAnyName ? [] : new Set(['loras', ...job.models.map(model => model.folder)])
    const shelves = await Promise.all(
      [...folders].map(async folder => [folder, await this.#catalogue.shelf(folder, ageMs)] as const),
    )
    return toSentGraph(job, attempt, {
      shelves: Object.fromEntries(shelves.flatMap(([folder, shelf]) => (shelf ? [[folder, shelf]] : []))),
      takesAnyName,
      loraAliases: this.#server.loras ?? {},
      modelAliases: this.#server.models ?? {},
      ...(references && { references }),
    })
  }

  /** What must never be sent is not, even where nobody checked: draft weights, jobs of another renderer, no LoRA. */
  async #requireFit(job: Job, attempt: Attempt): Promise<SentGraph> {
    const sent = await this.#translate(job, attempt, await this.#references.of(job))
    const problems = [...problemsOfTarget(job, await this.#catalogue.identity()), ...sent.problems]
    const [first] = problems
    if (first) throw new RenderFailure('missing-model', `${this.#address.label}: ${first.message}`, { problems })
    return sent
  }
}
