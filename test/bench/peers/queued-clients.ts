import { WebSocket } from 'ws'
import type { Contestant } from './contestant.js'
import { makeGraph, type RaceGraph } from './graph.js'
import { keepPicture } from './keep-picture.js'
import { loadPeer } from './load-peer.js'

/** The part of `@stable-canvas/comfyui-client` that is used here. */
interface Module {
  Client: new (options: { api_host: string; WebSocket: unknown }) => Client
}
interface Client {
  connect(): Promise<unknown>
  enqueue(graph: RaceGraph): Promise<{ images: { type: string; data: string }[] }>
  close(): void
}
interface Queue {
  add(task: () => Promise<void>): Promise<void>
}

/** What one glues together: a client per server, and a queue that runs as many jobs at once as there are free servers. */
export const queuedClients: Contestant = async ({ urls, jobs, folder, peers }) => {
  const { Client } = await loadPeer<Module>(peers, '@stable-canvas/comfyui-client')
  const { default: PQueue } = await loadPeer<{ default: new (options: { concurrency: number }) => Queue }>(
    peers,
    'p-queue',
  )
  const clients = urls.map(url => new Client({ api_host: new URL(url).host, WebSocket }))
  await Promise.all(clients.map(client => client.connect()))
  const free = [...clients]
  const queue = new PQueue({ concurrency: urls.length })

  async function render(job: (typeof jobs)[number]): Promise<void> {
    const client = free.shift()
    if (!client) throw new Error('no server is left')
    try {
      const { images } = await client.enqueue(makeGraph(job))
      const [image] = images
      if (!image) throw new Error('no picture')
      const bytes = await (await fetch(image.data)).arrayBuffer()
      await keepPicture(folder, job.id, new Uint8Array(bytes))
      free.push(client)
    } catch (error) {
      // A server that refuses connections would swallow the rest of the jobs at once.
      if (!(error instanceof TypeError)) free.push(client)
      throw error
    }
  }

  return {
    async run(told) {
      await Promise.all(
        jobs.map(job =>
          queue
            .add(() => render(job))
            .then(
              () => told('done'),
              () => told('failed'),
            ),
        ),
      )
    },
    async close() {
      for (const client of clients) client.close()
    },
  }
}
