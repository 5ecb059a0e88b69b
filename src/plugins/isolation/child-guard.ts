/** A thread beside the plugin: ends its process when the foundry is gone, even while the plugin never lets go of its own thread. */
import { workerData } from 'node:worker_threads'
import { endGroup } from './end-group.js'

/** The process id of the foundry. */
export type GuardedBy = number

const lookEveryMs = 500

const foundry = workerData as GuardedBy
setInterval(() => {
  if (process.ppid !== foundry) endGroup(process.pid)
}, lookEveryMs)
