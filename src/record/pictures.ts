import { Worker } from 'node:worker_threads'
import { failure, FoundryError } from '../errors.js'
import { sharedFailpoints } from '../files/failpoint.js'
import type { PictureTasks, TaskAnswer, TaskMessage } from './pictures-thread.js'

/**
 * Everything that decodes, hashes, writes or draws pictures, in a thread of its own: the event loop only hands over and hears
 * what became of it. The thread starts with the first task if not before, and anew if it should end.
 */
export interface Pictures {
  /** Starts the thread, so that the first picture need not wait for it. */
  warm(): void
  /** Rejects with what the task throws. */
  do<Name extends keyof PictureTasks>(
    name: Name,
    ...input: Parameters<PictureTasks[Name]>
  ): Promise<Awaited<ReturnType<PictureTasks[Name]>>>
  /** Ends the thread; tasks that are under way are rejected. */
  close(): Promise<void>
}

interface Waiting {
  resolve(value: never): void
  reject(error: Error): void
}

export function openPictures(): Pictures {
  const waiting = new Map<number, Waiting>()
  let [thread, lastId]: [Worker | undefined, number] = [undefined, 0]

  const start = () => {
    const started = new Worker(new URL('./pictures-thread.js', import.meta.url), { workerData: sharedFailpoints() })
    let reason = 'it was closed'
    started.on('message', (answer: TaskAnswer) => settle(answer, started))
    started.unref()
    started.on('error', error => {
      reason = error.message
    })
    started.on('exit', () => {
      if (thread === started) thread = undefined
      for (const { reject } of waiting.values()) reject(failure('PICTURES_FAILED', { reason }))
      waiting.clear()
    })
    return started
  }
  const settle = ({ id, value, error }: TaskAnswer, from: Worker) => {
    const { resolve, reject } = waiting.get(id) ?? {}
    waiting.delete(id)
    if (waiting.size === 0) from.unref()
    if (error) reject?.(new FoundryError(error.code, error.message, error.details))
    else resolve?.(value as never)
  }

  const warm = () => {
    thread ??= start()
    return thread
  }

  return {
    warm,
    do: (name, ...input) =>
      new Promise((resolve, reject) => {
        const worker = warm()
        const id = ++lastId
        waiting.set(id, { resolve, reject })
        worker.ref()
        worker.postMessage({ id, name, input } satisfies TaskMessage)
      }),
    async close() {
      await thread?.terminate()
    },
  }
}
