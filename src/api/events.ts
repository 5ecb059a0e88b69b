import type { FastifyInstance } from 'fastify'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { FoundryError } from '../errors.js'
import type { Job } from '../plan/job.js'
import { withoutPaths } from '../record/events.js'
import type { Ledger } from '../record/ledger.js'

/** Events of the journal with their sequence, and progress, which has none and is never repeated. */
export type HubMessage =
  | { seq: number; event: object }
  | { progress: { run: string; slot: string; server: string; value: number; max: number } }

export interface EventHub {
  progress(job: Job, server: string, value: number, max: number): void
  subscribe(listener: (message: HubMessage) => void): () => void
  /** Events after `sequence`, from the journal, up to now. */
  since(sequence: number): AsyncIterable<HubMessage & { seq: number }>
  /** Sequences that can still be read. */
  reach(): { first: number; last: number }
  close(): void
}

/** A client that does not read is cut off: memory for it is bounded. */
const bufferedBytesMax = 4 * 1024 * 1024
/** History is sent no faster than it is read. */
const historyBufferedBytesMax = 256 * 1024
const historyPauseMs = 10
const historyStallMsMax = 30_000
const clientsMax = 256

export function createEventHub(ledger: Ledger): EventHub {
  const listeners = new Set<(message: HubMessage) => void>()
  const tell = (message: HubMessage) => {
    for (const listener of listeners) listener(message)
  }
  const stop = ledger.listen((event, seq) => tell({ seq, event: withoutPaths(event) }))
  return {
    progress: (job, server, value, max) => tell({ progress: { run: job.run, slot: job.slot.id, server, value, max } }),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async *since(sequence) {
      for await (const { event, sequence: seq } of ledger.since(sequence)) yield { seq, event: withoutPaths(event) }
    },
    reach: () => ({ first: ledger.journal.firstSequence, last: ledger.journal.sequence }),
    close() {
      stop()
      listeners.clear()
    },
  }
}

/** `/events?seq=N`: every event after N, in order, each once, then what happens. Without `seq` only what happens. */
export function serveEvents(app: FastifyInstance, hub: EventHub): void {
  let clients = 0
  app.route({
    method: 'GET',
    url: '/events',
    schema: {
      summary: 'WebSocket of events; with seq, from the first after it on',
      querystring: { type: 'object', properties: { seq: { type: 'string' } } },
    },
    // `stream` says what is wrong, as the reason of the close.
    validatorCompiler: () => () => true,
    handler: async () => {
      throw new FoundryError('UPGRADE_MISSING', 'Events are served over a WebSocket')
    },
    wsHandler(socket, request) {
      const { seq } = request.query as { seq?: unknown }
      if (clients >= clientsMax) return socket.close(1013, 'too many listen already')
      clients++
      socket.on('close', () => clients--)
      // What a client sends means nothing; a broken connection closes.
      socket.on('error', () => socket.terminate())
      stream(socket, hub, seq).catch(() => socket.close(1011, 'the journal cannot be read'))
    },
  })
}

async function stream(socket: WebSocket, hub: EventHub, seq: unknown): Promise<void> {
  let reached = hub.reach().last
  if (seq !== undefined) {
    const after = typeof seq === 'string' && /^\d{1,15}$/.test(seq) ? Number(seq) : undefined
    const { first, last } = hub.reach()
    if (after === undefined) return socket.close(1008, 'seq is not a sequence number')
    if (after > last) return socket.close(1008, `seq is beyond the end, which is ${last}: begin anew`)
    if (after < first - 1) return socket.close(1008, `events before ${first} are gone: begin anew`)
    reached = await sendHistory(socket, hub, after)
  }
  // No turn of the event loop lies between the end of the history and this line.
  const stop = hub.subscribe(message => {
    if ('seq' in message && message.seq <= reached) return
    if (socket.bufferedAmount > bufferedBytesMax) socket.close(1013, 'reads too slowly: resume with ?seq=')
    else if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  })
  socket.on('close', stop)
  if (socket.readyState !== socket.OPEN) stop()
}

/** Answers the sequence up to which everything was sent: the journal's last one. */
async function sendHistory(socket: WebSocket, hub: EventHub, after: number): Promise<number> {
  let reached = after
  while (reached < hub.reach().last && socket.readyState === socket.OPEN) {
    // Not every sequence is an event's, so the last event does not tell where the journal ended.
    const { last } = hub.reach()
    for await (const message of hub.since(reached)) {
      if (!(await hasRoom(socket))) return reached
      socket.send(JSON.stringify(message))
      reached = message.seq
    }
    reached = Math.max(reached, last)
  }
  return reached
}

/** Waits until the client has read enough; one that reads nothing is cut off. */
async function hasRoom(socket: WebSocket): Promise<boolean> {
  let stalledMs = 0
  let bufferedBefore = socket.bufferedAmount
  while (socket.readyState === socket.OPEN && socket.bufferedAmount > historyBufferedBytesMax) {
    await sleep(historyPauseMs)
    stalledMs = socket.bufferedAmount < bufferedBefore ? 0 : stalledMs + historyPauseMs
    bufferedBefore = socket.bufferedAmount
    if (stalledMs > historyStallMsMax) socket.close(1013, 'reads too slowly: resume with ?seq=')
  }
  return socket.readyState === socket.OPEN
}
