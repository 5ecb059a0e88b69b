import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into each thread of a daemon: what is garbage is no growth of its memory, and hides one of some MB. Writes a line of bytes,
 * `{ rss, heapUsed }`, to the file that FOUNDRY_SOAK_MEMORY names each time.
 */
const everyMs = 10_000
const { gc } = globalThis
const file = process.env['FOUNDRY_SOAK_MEMORY']
if (!gc || file === undefined) throw new Error('Node needs --expose-gc, and a file for what is left')
setInterval(() => {
  void gc()
  if (!isMainThread) return
  const { rss, heapUsed } = process.memoryUsage()
  appendFileSync(file, `${JSON.stringify({ rss, heapUsed })}\n`)
}, everyMs).unref()
