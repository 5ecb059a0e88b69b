import type { Job, Slot } from '../plan/job.js'
import type { JobMaker, JobWords } from '../plan/make-job.js'
import type { Attempt, DispatchFacts, PictureFacts } from '../plugins/contract.js'
import type { Gates } from '../plugins/run-gates.js'

/**
 * The job of a slot as the gates let it be made: what they redact is redacted before it is hashed, so that it never changes after.
 * Throws GATE_REFUSED and PLUGIN_HOOK_FAILED.
 */
export async function makeGatedJob(
  maker: JobMaker,
  slot: Slot | undefined,
  gates: Gates | undefined,
): Promise<Job | undefined> {
  const job = slot && maker.make(slot)
  const words = gates && slot && maker.wordsOf(slot)
  if (!job || !words) return job
  const redaction = await gates.beforeDispatch(dispatchFacts(job, words))
  return redaction ? maker.make(slot, redaction) : job
}

export function dispatchFacts(job: Job, { positive, negative, parameters }: JobWords): DispatchFacts {
  const { run, slot, target, width, height, loras } = job
  const talents = loras.map(({ talent, effective }) => ({ id: talent, weight: effective }))
  return { run, ...slotFacts(slot), ...target, width, height, positive, negative, parameters, talents }
}

export function pictureFacts(job: Job, { number }: Attempt, of: { server: string; bytes: Uint8Array }): PictureFacts {
  return { run: job.run, ...slotFacts(job.slot), renderer: job.target.renderer, attempt: number, ...of }
}

function slotFacts({ id, subject, template, view, seed }: Slot) {
  return { slot: id, subject, template, view, seed }
}
