import { defineOperation, type Operation } from './operation.js'
import {
  cancelRun,
  listRuns,
  pruneRuns,
  removeRun,
  retryRun,
  runEvents,
  runManifest,
  showRun,
  slotThumbnail,
} from './runs.js'
import { drops, servers, status } from './status.js'
import { submitSchema } from './submission.js'
import { submit } from './submit.js'
import { verify } from './verify.js'
import { reproduce } from './reproduce.js'

const submitRun = defineOperation({
  name: 'submit',
  summary: 'Accepts a drop as a run: durable from the moment this answers',
  route: { method: 'POST', path: '/runs' },
  input: submitSchema,
  run: submit,
})

/** Everything that may be asked of a foundry. Routes, commands and console are made from this table. */
export const operations = {
  submit: submitRun,
  listRuns,
  showRun,
  runManifest,
  runEvents,
  cancelRun,
  retryRun,
  removeRun,
  pruneRuns,
  slotThumbnail,
  verify,
  reproduce,
  status,
  servers,
  drops,
} as const

export const operationList: readonly Operation[] = Object.values(operations) as unknown as readonly Operation[]
