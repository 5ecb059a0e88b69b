import { once } from 'node:events'
import { comfyPoolRoutine, comfyPoolZero } from './comfy-pool.js'
import type { Contestant, Order, Racer, Report, Task, WarmUp } from './contestant.js'
import { oneAtATime } from './one-at-a-time.js'
import { ours } from './ours.js'
import { queuedClients } from './queued-clients.js'
import type { ContestantName } from './race.js'

/** The process of one contestant: prepares, waits for the start, races, tells. Its time and CPU count from start to last end. */
const contestants: Readonly<Record<ContestantName, Contestant>> = {
  ours,
  'ComfyPool zero': comfyPoolZero,
  'ComfyPool round robin': comfyPoolRoutine,
  'p-queue + comfyui-client': queuedClients,
  'one at a time per server': oneAtATime,
}
const progressEveryMs = 250

// Without the benchmark there is no race.
process.once('disconnect', () => process.exit(1))

const [first] = (await once(process, 'message')) as [Order]
if (first.kind === 'prepare') {
  // A library that throws where nobody can catch it loses a job, not the race.
  if (first.name !== 'ours') process.on('uncaughtException', error => console.error(error))
  const contestant = contestants[first.name as ContestantName]
  const { task, warmUp } = first
  const racer = await prepare(contestant, task, warmUp).catch((error: unknown) => {
    // Not through console: contestants silence it.
    process.stderr.write(`${String(error)}\n`)
    return process.exit(1)
  })
  const started = once(process, 'message')
  report({ kind: 'ready' })
  await started
  const counts = { done: 0, failed: 0 }
  const cpu = process.cpuUsage()
  const begin = performance.now()
  let end = begin
  const progress = setInterval(() => report({ kind: 'progress', ...counts }), progressEveryMs)
  await racer.run(how => {
    counts[how]++
    end = performance.now()
  })
  const { user, system } = process.cpuUsage(cpu)
  clearInterval(progress)
  report({ kind: 'ended', ...counts, makespanMs: end - begin, cpuMs: (user + system) / 1000 })
  await racer.close()
}
process.exit(0)

async function prepare(contestant: Contestant, task: Task, warmUp: WarmUp | undefined): Promise<Racer> {
  if (warmUp) {
    const warming = await contestant({ ...task, ...warmUp })
    await warming.run(() => undefined)
    await warming.close()
  }
  return contestant(task)
}

function report(message: Report): void {
  process.send?.(message)
}
