import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
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
  /** Events after `sequence`, from the journal. */
  since(sequence: number): AsyncIterable<HubMessage>
  close(): void
}

/** A client that does not read is cut off: memory for it is bounded. */
const bufferedBytesMax = 4 * 1024 * 1024

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
    close() {
      stop()
      listeners.clear()
    },
  }
}

/** `/events?seq=N`: everything after N, then what happens. Without `seq` only what happens. */
export function serveEvents(app: FastifyInstance, hub: EventHub): void {
  app.get(
    '/events',
    { websocket: true, schema: { summary: 'WebSocket of events; resumes after ?seq=N' } },
    (socket, request) => {
      const { seq } = request.query as { seq?: string }
      void stream(socket, hub, seq === undefined ? undefined : Number(seq))
    },
  )
}

async function stream(socket: WebSocket, hub: EventHub, after: number | undefined): Promise<void> {
  let reached = after ?? Number.POSITIVE_INFINITY
  let waiting: HubMessage[] | undefined = []
  const send = (message: HubMessage) => {
    if ('seq' in message) {
      if (after !== undefined && message.seq <= reached) return
      reached = message.seq
    }
    if (socket.bufferedAmount > bufferedBytesMax) socket.close(1013, 'reads too slowly: resume with ?seq=')
    else if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }
  const stop = hub.subscribe(message => {
    if (waiting) waiting.push(message)
    else send(message)
  })
  socket.on('close', stop)
  socket.on('error', stop)
  if (after !== undefined && Number.isInteger(after) && after >= 0) {
    for await (const message of hub.since(after)) send(message)
  } else if (after !== undefined) {
    socket.close(1008, 'seq is not a sequence number')
  }
  const missed = waiting
  waiting = undefined
  for (const message of missed) send(message)
}
