import { failure } from '../errors.js'
import { rangesOfSlot, rangesOfSubject, type SlotRange } from '../plan/slot-ranges.js'
import { indexSlots } from '../plan/slots.js'
import { readRunFile } from '../record/run-folder.js'
import type { RunState } from '../record/state.js'
import { runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'

/** A run, or of it one persona or one slot. */
export const runPartSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: {
    id: runIdSchema,
    subject: { type: 'string', minLength: 1, maxLength: 256, description: 'Only the slots of this persona' },
    slot: { type: 'string', minLength: 1, maxLength: 512, description: 'Only the slot of this name' },
  },
} as const

export interface RunPart {
  part: string
  slots: SlotRange[]
}

/** Personas that are named to who asked for one that is not there. */
const namedMax = 20

/** Which slots are meant; undefined for the whole run. Throws USAGE_INVALID, SUBJECT_UNKNOWN, SLOT_UNKNOWN. */
export async function findPart(
  { runFolder }: Foundry,
  { accepted: { run } }: RunState,
  { subject, slot }: { subject?: string; slot?: string },
): Promise<RunPart | undefined> {
  const part = subject ?? slot
  if (part === undefined) return undefined
  if (subject !== undefined && slot !== undefined)
    throw failure('USAGE_INVALID', { problem: 'A persona and a slot are named together', next: 'name one of them' })
  const { run: file } = await readRunFile(runFolder(run))
  const index = indexSlots(file.plan)
  const slots = subject === undefined ? rangesOfSlot(index, part) : rangesOfSubject(index, part)
  if (slots.length > 0) return { part, slots }
  if (subject === undefined) throw failure('SLOT_UNKNOWN', { run, slot: part })
  const known = [...new Set(file.plan.series.map(series => series.subject))]
  throw failure('SUBJECT_UNKNOWN', { run, subject: part, known: known.slice(0, namedMax) })
}
