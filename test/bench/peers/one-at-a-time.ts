import { setTimeout as sleep } from 'node:timers/promises'
import type { Contestant } from './contestant.js'
import { makeGraph, saveNode } from './graph.js'
import { keepPicture } from './keep-picture.js'
import type { RaceJob } from './scenarios.js'

const pollMs = 20

interface HistoryEntry {
  outputs: Record<string, { images: Record<string, string>[] }>
  status: { status_str: string }
}

/** What many scripts do, with one loop per server: post, look into the history, fetch, hash, write, then the next job. */
export const oneAtATime: Contestant = async ({ urls, jobs, folder }) => ({
  async run(told) {
    const queue = jobs.values()
    await Promise.all(
      urls.map(async url => {
        for (const job of queue) {
          const end = await render(url, job, folder).catch(() => 'gone' as const)
          told(end === 'done' ? 'done' : 'failed')
          if (end === 'gone') return
        }
      }),
    )
    for (const _ of queue) told('failed')
  },
  async close() {},
})

async function render(url: string, job: RaceJob, folder: string): Promise<'done' | 'failed'> {
  const posted = await fetch(`${url}/prompt`, {
    method: 'POST',
    body: JSON.stringify({ prompt: makeGraph(job), client_id: 'one-at-a-time' }),
  })
  const { prompt_id: id } = (await posted.json()) as { prompt_id: string }
  for (;;) {
    const history = (await (await fetch(`${url}/history/${id}`)).json()) as Record<string, HistoryEntry>
    const entry = history[id]
    const image = entry?.outputs[saveNode]?.images[0]
    if (entry && !image) return 'failed'
    if (image) {
      const bytes = await (await fetch(`${url}/view?${new URLSearchParams(image)}`)).arrayBuffer()
      await keepPicture(folder, job.id, new Uint8Array(bytes))
      return 'done'
    }
    await sleep(pollMs)
  }
}
