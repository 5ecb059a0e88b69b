import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Attempt,
  type Connection,
  hashJson,
  type Job,
  joinSignals,
  type JobProblem,
  type OutputFile,
  type Price,
  type Probe,
  type ProviderHost,
  type Receipt,
  type RenderEvent,
  RenderFailure,
  type ServerEntry,
  withAnySignal,
} from '../../src/plugins/contract.js'
import { readAddress } from './address.js'
import { Client, type RetryTimes } from './client.js'
import { replicateFailure } from './errors.js'
import { failureOfCreate, failureOfPrediction, failureOfRead } from './failures.js'
import { findCreated, type Search } from './find-created.js'
import { type Model, readModels } from './models.js'
import { fetchOutput } from './outputs.js'
import { isPredictionId, parseJson, parsePrediction, type Prediction } from './prediction.js'
import { SentReferences } from './references.js'
import { failureOfProblems, type SentInput, toSentInput } from './sent-input.js'

/** How long things may take, in milliseconds. */
export interface Times extends RetryTimes {
  pollMs: number
  /** After the first polls. */
  slowPollMs: number
  /** How long a prediction that may have been created is looked for, and how often. */
  lookMsMax: number
  lookEveryMs: number
  /** How long an uploaded picture stays that nobody uses. */
  idleMs: number
  /** How long a cancelled prediction may take to end. */
  cancelMsMax: number
}

const usualTimes: Times = {
  retryMsMin: 500,
  retryMsMax: 8000,
  pollMs: 1000,
  slowPollMs: 2000,
  lookMsMax: 6000,
  lookEveryMs: 2000,
  idleMs: 300_000,
  cancelMsMax: 10_000,
}
const fastPolls = 30
/** Attempts whose predictions are remembered; the journal has those that matter after a crash. */
const remembersMax = 10_000
const deadlineSecondsMin = 5
const ended: ReadonlySet<string> = new Set(['succeeded', 'failed', 'canceled', 'aborted'])

/**
 * Opens a connection to an account. Asks nothing of the service yet. Throws replicateFailures of a bad entry.
 * Times left out: what suits the real service.
 */
export async function openConnection(
  server: ServerEntry,
  host: ProviderHost,
  times: Partial<Times> = {},
): Promise<Connection> {
  const address = await readAddress(server)
  const { models, problems } = readModels(server.options ?? {})
  if (problems.length > 0) throw replicateFailure('OPTIONS_INVALID', { server: server.name, problems })
  const all = { ...usualTimes, ...times }
  const client = new Client(address, server.timeoutSeconds * 1000, all)
  return new ReplicateConnection({ server, host, client, models, times: all })
}

interface Parts {
  server: ServerEntry
  host: ProviderHost
  client: Client
  models: ReadonlyMap<string, Model>
  times: Times
}

class ReplicateConnection implements Connection {
  readonly isPaid = true
  readonly #server: ServerEntry
  readonly #client: Client
  readonly #models: ReadonlyMap<string, Model>
  readonly #times: Times
  /** Models that the service said to be gone. */
  readonly #gone = new Set<string>()
  /** Predictions by prompt id, the newest last. */
  readonly #remotes = new Map<string, string>()
  readonly #end = new AbortController()
  readonly #references: SentReferences
  readonly #hostSignal: AbortSignal
  readonly #stop = (): void => void this.close()

  constructor({ server, host, client, models, times }: Parts) {
    this.#server = server
    this.#client = client
    this.#models = models
    this.#times = times
    this.#hostSignal = host.signal
    setMaxListeners(0, this.#end.signal)
    this.#references = new SentReferences({ client, host, signal: this.#end.signal, idleMs: times.idleMs })
    if (host.signal.aborted) this.#stop()
    host.signal.addEventListener('abort', this.#stop, { once: true })
  }

  /** Lists what is newer than now: a short answer, which only a good token gets. */
  async probe(signal: AbortSignal): Promise<Probe> {
    const startedAt = performance.now()
    const after = encodeURIComponent(new Date().toISOString())
    const answer = await this.#while(signal, until =>
      this.#client.get(`/predictions?created_after=${after}`, { signal: until }),
    )
    if (answer.status !== 200) throw failureOfRead(this.#client, answer)
    const models = { replicate: [...this.#models.keys()] }
    return { renderer: 'replicate', models, modelSizes: {}, queueRemaining: 0, tookMs: performance.now() - startedAt }
  }

  check(job: Job): Promise<JobProblem[]> {
    return Promise.resolve(this.#translate(job).problems)
  }

  submit(job: Job, attempt: Attempt, signal: AbortSignal): Promise<Receipt> {
    return this.#while(signal, until => this.#submit(job, attempt, until))
  }

  async #submit(job: Job, attempt: Attempt, signal: AbortSignal): Promise<Receipt> {
    const { model, input, problems } = this.#translate(job)
    if (!model || problems.length > 0) throw failureOfProblems(this.#label, problems)
    const seconds = Math.max(deadlineSecondsMin, Math.round(this.#server.jobTimeoutSeconds))
    const route = `/models/${model.id}/predictions`
    const exchange = { signal, headers: { 'cancel-after': `${seconds}s` } }
    try {
      const wire = await this.#references.toWire(input, job, attempt.promptId)
      if (signal.aborted) throw new RenderFailure('unreachable', 'Stopped before it was sent')
      const answer = await this.#client.post(route, { input: wire }, exchange)
      if (answer.status === 404) this.#gone.add(model.id)
      if (answer.status !== 200 && answer.status !== 201 && answer.status !== 202)
        throw failureOfCreate(this.#client, answer, { model, input: wire })
      const prediction = parsePrediction(parseJson(answer.bytes))
      if (!prediction) throw new RenderFailure('unknown-outcome', `${this.#label} took a job and did not say its id`)
      return this.#receipt(attempt, { model, input, prediction })
    } catch (thrown) {
      const isInDoubt = thrown instanceof RenderFailure && thrown.reason === 'unknown-outcome'
      if (!isInDoubt) this.#references.release(attempt.promptId)
      throw thrown
    }
  }

  async adopt(
    job: Job,
    attempt: Attempt,
    { taken, signal }: { taken: ReadonlySet<string>; signal: AbortSignal },
  ): Promise<Receipt> {
    const { model, input } = this.#translate(job)
    if (!model) throw new RenderFailure('in-doubt', `Nobody knows whether ${this.#label} has taken it: ${checkHint}`)
    const own = new Set(this.#remotes.values())
    const { lookMsMax, lookEveryMs } = this.#times
    const search = {
      model: model.id,
      input,
      isSame: this.#sameAs(job),
      since: attempt.leasedAt ?? Date.now(),
      lookMsMax,
      lookEveryMs,
      isTaken: (id: string) => own.has(id) || taken.has(id),
    }
    const prediction = await this.#while(signal, until => findCreated(this.#client, search, until))
    if (prediction) return this.#receipt(attempt, { model, input, prediction })
    const message = `Nobody knows whether ${this.#label} has taken it, and its list of predictions does not tell: ${checkHint}`
    throw new RenderFailure('in-doubt', message)
  }

  async *follow(attempt: Attempt, signal: AbortSignal): AsyncIterable<RenderEvent> {
    const joined = joinSignals(signal, this.#end.signal)
    try {
      yield* this.#follow(attempt, joined.signal)
    } finally {
      joined.end()
    }
  }

  async *#follow(attempt: Attempt, until: AbortSignal): AsyncIterable<RenderEvent> {
    let isStarted = false
    for (let polls = 0; !until.aborted; polls++) {
      const prediction = await this.#look(attempt, until)
      if (until.aborted) return
      if (!prediction) {
        yield { kind: 'failed', failure: new RenderFailure('lost', `${this.#label} does not know the prediction`) }
        return
      }
      if (prediction.status !== 'starting' && !isStarted) {
        isStarted = true
        yield { kind: 'started', at: Date.now() }
      }
      if (ended.has(prediction.status)) {
        this.#references.release(attempt.promptId)
        yield* this.#endOf(prediction)
        return
      }
      await sleep(polls < fastPolls ? this.#times.pollMs : this.#times.slowPollMs, undefined, { signal: until }).catch(
        () => undefined,
      )
    }
  }

  /** Asked anew where it lies: an address may have been signed for some minutes only. */
  fetch({ subfolder: id, filename }: OutputFile, signal: AbortSignal): Promise<Buffer> {
    return this.#while(signal, async until => {
      const prediction = isPredictionId(id) ? await this.#read(id, until) : undefined
      const output = prediction?.outputs[Number(filename)]
      if (output === undefined) throw new RenderFailure('no-output', `The picture is gone from ${this.#label}`)
      return fetchOutput(this.#client, output, until)
    })
  }

  async find(attempt: Attempt, signal: AbortSignal): Promise<'queued' | 'running' | 'done' | 'unknown'> {
    const prediction = await this.#while(signal, until => this.#look(attempt, until))
    // Of one that was never taken nothing can be asked; that the service is there is seen all the same.
    if (this.#remoteOf(attempt) === undefined) await this.probe(signal)
    if (!prediction) return 'unknown'
    if (ended.has(prediction.status)) return 'done'
    return prediction.status === 'starting' ? 'queued' : 'running'
  }

  async cancel(attempt: Attempt, signal: AbortSignal): Promise<'gone' | 'ran' | 'unknown'> {
    const id = this.#remoteOf(attempt)
    if (id === undefined) return 'unknown'
    const limit = AbortSignal.timeout(this.#times.cancelMsMax)
    return withAnySignal([signal, this.#end.signal, limit], any => this.#cancel(id, any))
  }

  async #cancel(id: string, limit: AbortSignal): Promise<'gone' | 'ran' | 'unknown'> {
    try {
      await this.#client.post(`/predictions/${id}/cancel`, undefined, { signal: limit })
      for (;;) {
        const prediction = await this.#read(id, limit)
        if (!prediction) return 'unknown'
        if (prediction.status === 'canceled' || prediction.status === 'aborted') return 'gone'
        if (ended.has(prediction.status)) return 'ran'
        await sleep(this.#times.pollMs, undefined, { signal: limit })
      }
    } catch (thrown) {
      if (thrown instanceof RenderFailure || limit.aborted) return 'unknown'
      throw thrown
    }
  }

  priceOf(job: Job): Price | undefined {
    return this.#translate(job).model?.price
  }

  async close(): Promise<void> {
    this.#hostSignal.removeEventListener('abort', this.#stop)
    this.#end.abort()
    await this.#references.close()
    await this.#client.close()
  }

  get #label(): string {
    return this.#client.address.label
  }

  /** Also ends when the connection is closed. */
  #while<Value>(signal: AbortSignal, act: (until: AbortSignal) => Promise<Value>): Promise<Value> {
    return withAnySignal([signal, this.#end.signal], act)
  }

  #translate(job: Job): SentInput {
    const today = new Date().toISOString().slice(0, 10)
    return toSentInput(job, { models: this.#models, gone: this.#gone, today })
  }

  #sameAs({ references = [] }: Job): Search['isSame'] {
    return async (told, sha256, signal) => {
      const reference = references.find(each => each.sha256 === sha256)
      return reference !== undefined && this.#references.isSame(told, reference, signal)
    }
  }

  #receipt(
    { promptId }: Attempt,
    { model, input, prediction }: { model: Model; input: Record<string, unknown>; prediction: Prediction },
  ): Receipt {
    this.#remember(promptId, prediction.id)
    const sent = { model: model.id, input }
    const sizeBytes = Buffer.byteLength(JSON.stringify(sent))
    return { promptId, submittedSha256: hashJson(sent), sizeBytes, remote: prediction.id, price: model.price }
  }

  #remember(promptId: string, remote: string): void {
    this.#remotes.set(promptId, remote)
    const [oldest] = this.#remotes.keys()
    if (this.#remotes.size > remembersMax && oldest !== undefined) this.#remotes.delete(oldest)
  }

  #remoteOf({ promptId, remote }: Attempt): string | undefined {
    const known = this.#remotes.get(promptId)
    if (known === undefined && isPredictionId(remote)) this.#remember(promptId, remote)
    return this.#remotes.get(promptId)
  }

  async #look(attempt: Attempt, signal: AbortSignal): Promise<Prediction | undefined> {
    const id = this.#remoteOf(attempt)
    return id === undefined ? undefined : this.#read(id, signal)
  }

  /** Undefined where the service does not know it. */
  async #read(id: string, signal: AbortSignal): Promise<Prediction | undefined> {
    const answer = await this.#client.get(`/predictions/${id}`, { signal })
    if (answer.status === 404) return undefined
    const prediction = answer.status === 200 ? parsePrediction(parseJson(answer.bytes)) : undefined
    if (!prediction) throw failureOfRead(this.#client, answer)
    return prediction
  }

  *#endOf(prediction: Prediction): Iterable<RenderEvent> {
    const failure = failureOfPrediction(this.#client, prediction)
    if (failure) {
      yield { kind: 'failed', failure }
      return
    }
    const outputs = prediction.outputs.map((_, at): OutputFile => ({
      filename: String(at),
      subfolder: prediction.id,
      type: 'replicate',
    }))
    for (const output of outputs) yield { kind: 'output', output }
    const { predictSeconds } = prediction
    yield {
      kind: 'finished',
      outputs,
      timings: predictSeconds === undefined ? {} : { renderMs: predictSeconds * 1000 },
    }
  }
}

const checkHint = 'look at replicate.com/predictions, then "foundry runs retry" renders it anew, at its price'
