import type { Logger } from 'pino'
import type { Job } from '../plan/job.js'
import type { Connection, RenderFailure } from '../plugins/contract.js'
import { isSuspect } from './choose-next-step.js'
import type { Fitness } from './fitness.js'

interface Blamed {
  name: string
  fitness: Fitness
  connection: Pick<Connection, 'free'>
  log: Logger
  hasOthers(): boolean
  signal: AbortSignal
}

/** What a failed attempt says about its server: it is short of memory, its account may not render, or it has to rest. */
export async function blameServer(
  { name, fitness, connection, log, hasOthers, signal }: Blamed,
  job: Job,
  { reason, message }: RenderFailure,
): Promise<void> {
  if (reason === 'out-of-memory') fitness.beCareful()
  if (reason === 'out-of-memory' || reason === 'too-fast') await connection.free?.(signal).catch(() => undefined)
  if (reason === 'locked-out' && fitness.lockOut(message))
    log.error({ server: name, reason: message }, 'server may not render')
  if (!isSuspect(reason)) return
  const restMs = fitness.blame(job.id, message, hasOthers())
  if (restMs !== undefined) log.warn({ server: name, restMs, reason: message }, 'server rests')
}
