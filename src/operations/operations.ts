import { FoundryError } from '../errors.js'
import { addWorkflow } from './add-workflow.js'
import { audit } from './audit.js'
import type { Foundry } from './foundry.js'
import { callOperation, type Caller, defineOperation, type Operation } from './operation.js'
import { listWorkflows } from './list-workflows.js'
import { plan } from './plan.js'
import { approveRun, cancelRun, pauseRun, resumeRun, retryRun } from './run-acts.js'
import { changeRun } from './run-priority.js'
import { listRuns, pruneRuns, removeRun, runEvents, runManifest, showRun, slotThumbnail } from './runs.js'
import {
  addServer,
  drainServer,
  forgiveServer,
  listServers,
  pauseServer,
  removeServer,
  resumeServer,
} from './servers.js'
import { drops, status } from './status.js'
import { submitSchema } from './submission.js'
import { submit } from './submit.js'
import { why } from './why.js'
import { verify } from './verify.js'
import { reproduce } from './reproduce.js'

const submitRun = defineOperation({
  name: 'submit',
  summary: 'Accepts a drop as a run: durable from the moment this answers',
  route: { method: 'POST', path: '/runs' },
  input: submitSchema,
  run: submit,
})

/** Everything that may be asked of a foundry, by name. Routes, commands and console are made from this table. */
export const operations = {
  submit: submitRun,
  plan,
  'runs.list': listRuns,
  'runs.show': showRun,
  why,
  'runs.manifest': runManifest,
  'runs.events': runEvents,
  'runs.change': changeRun,
  'runs.pause': pauseRun,
  'runs.resume': resumeRun,
  'runs.approve': approveRun,
  'runs.cancel': cancelRun,
  'runs.retry': retryRun,
  'runs.remove': removeRun,
  'runs.prune': pruneRuns,
  'runs.thumbnail': slotThumbnail,
  verify,
  reproduce,
  audit,
  status,
  'servers.list': listServers,
  'servers.add': addServer,
  'servers.drain': drainServer,
  'servers.pause': pauseServer,
  'servers.resume': resumeServer,
  'servers.forgive': forgiveServer,
  'servers.remove': removeServer,
  'workflows.list': listWorkflows,
  'workflows.add': addWorkflow,
  drops,
} as const

export const operationList: readonly Operation[] = Object.values(operations) as unknown as readonly Operation[]

/** Throws OPERATION_UNKNOWN, OPERATION_INVALID, and what the operation throws. */
export async function callByName(name: string, foundry: Foundry, input: unknown, caller: Caller): Promise<unknown> {
  const operation = operationList.find(each => each.name === name)
  if (!operation) throw new FoundryError('OPERATION_UNKNOWN', `No operation is named "${name}"`)
  return callOperation(operation, foundry, input, caller)
}
