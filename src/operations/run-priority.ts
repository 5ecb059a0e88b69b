import { isDeepStrictEqual } from 'node:util'
import { failure } from '../errors.js'
import { isSettled, type RunState } from '../record/state.js'
import { type Band, labelsSchema, prioritySchema, weightSchema } from '../schema/run.js'
import { findRun, runIdSchema } from './find-run.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { summarise } from './run-summary.js'
import { tellUnlabelled } from './tell-unlabelled.js'

export interface Wish {
  priority?: Band
  weight?: number
  labels?: string[]
}

/** What a run has from now on; labels only where these are others than before. */
export interface Changed {
  priority: Band
  weight: number
  labels?: string[]
}

export const changeRun = defineOperation({
  name: 'runs.change',
  summary: 'Gives a run another priority, another share of the servers among those of its priority, or other labels',
  route: { method: 'POST', path: '/runs/:id/priority' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id: runIdSchema, priority: prioritySchema, weight: weightSchema, labels: labelsSchema },
  },
  async run(foundry, input, { by }) {
    const { id, ...wish } = input
    if (Object.keys(wish).length === 0)
      throw failure('USAGE_INVALID', {
        problem: 'Nothing to change is given',
        next: 'name a priority, a weight or labels',
      })
    const run = findRun(foundry, id, each => !isSettled(each))
    if (run.finished?.state === 'done')
      throw failure('RUN_STATE_UNFIT', { run: run.accepted.run, state: 'done', operation: 'given another priority' })
    await changePriority(foundry, run, wish, by)
    const warnings = tellUnlabelled(foundry, wish.labels ?? [])
    return { ...summarise(foundry, run), warnings }
  },
})

/** Answers the new priority and weight, or undefined where nothing is different. A run that is done keeps what it had. */
export async function changePriority(
  { ledger, farm }: Foundry,
  run: RunState,
  wish: Wish,
  by: string,
): Promise<Changed | undefined> {
  const priority = wish.priority ?? run.priority
  const weight = wish.weight ?? run.weight
  const { labels } = wish
  const hasOtherLabels = labels !== undefined && !isDeepStrictEqual([...labels].sort(), [...run.labels].sort())
  const isSame = priority === run.priority && weight === run.weight && !hasOtherLabels
  if (run.finished?.state === 'done' || isSame) return undefined
  const changed = { priority, weight, ...(hasOtherLabels && { labels }) }
  await ledger.append({ kind: 'run-changed', at: Date.now(), run: run.accepted.run, ...changed, by })
  farm.wake()
  return changed
}
