import type { Contestant } from './contestant.js'
import { makeGraph, type RaceGraph, saveNode } from './graph.js'
import { keepPicture } from './keep-picture.js'
import { loadPeer } from './load-peer.js'
import type { RaceJob } from './scenarios.js'

/** The part of `@saintno/comfyui-sdk` that is used here. */
interface Sdk {
  ComfyApi: new (url: string) => Api
  ComfyPool: new (apis: Api[], mode: unknown, options: { maxQueueSize: number }) => Pool
  EQueueMode: Record<'PICK_ZERO' | 'PICK_ROUTINE', unknown>
  PromptBuilder: new (graph: RaceGraph, inputs: string[], outputs: string[]) => Builder
  CallWrapper: new (api: Api, builder: Builder) => Call
}
interface Api {
  getImage(image: object): Promise<Blob>
}
interface Pool {
  on(event: 'connected', listener: () => void): Pool
  run<Result>(job: (api: Api) => Promise<Result>): Promise<Result>
  destroy(): void
}
interface Builder {
  setOutputNode(name: string, node: string): Builder
}
interface Call {
  onFinished(listener: (output: { images?: { images?: object[] } }) => void): Call
  onFailed(listener: (error: Error) => void): Call
  run(): Promise<unknown>
}

export const comfyPoolZero: Contestant = task => openPool(task, 'PICK_ZERO')
export const comfyPoolRoutine: Contestant = task => openPool(task, 'PICK_ROUTINE')

/** `ComfyPool` as its page shows it; its queue holds all the jobs. */
async function openPool(
  { urls, jobs, folder, peers }: Parameters<Contestant>[0],
  mode: keyof Sdk['EQueueMode'],
): ReturnType<Contestant> {
  const sdk = await loadPeer<Sdk>(peers, '@saintno/comfyui-sdk')
  // The pool prints every failure, which is told here in its own way.
  console.error = () => undefined
  const apis = urls.map(url => new sdk.ComfyApi(url))
  const pool = new sdk.ComfyPool(apis, sdk.EQueueMode[mode], { maxQueueSize: jobs.length + 1 })
  await new Promise<void>(resolve => {
    let connected = 0
    pool.on('connected', () => {
      if (++connected === urls.length) resolve()
    })
  })
  return {
    async run(told) {
      await Promise.allSettled(
        jobs.map(job =>
          pool
            .run(api => render(sdk, api, { job, folder, finished: () => told('done') }))
            .catch(() => {
              told('failed')
            }),
        ),
      )
    },
    async close() {
      pool.destroy()
    },
  }
}

function render(
  { PromptBuilder, CallWrapper }: Sdk,
  api: Api,
  { job, folder, finished }: { job: RaceJob; folder: string; finished(): void },
): Promise<void> {
  const builder = new PromptBuilder(makeGraph(job), [], ['images']).setOutputNode('images', saveNode)
  return new Promise((resolve, reject) => {
    const keep = async (output: { images?: { images?: object[] } }) => {
      const image = output.images?.images?.[0]
      if (!image) throw new Error('no picture')
      const bytes = await (await api.getImage(image)).arrayBuffer()
      await keepPicture(folder, job.id, new Uint8Array(bytes))
      // Every time that the client tells of an end, also when it tells the same one again.
      finished()
    }
    void new CallWrapper(api, builder)
      .onFinished(output => void keep(output).then(resolve, reject))
      .onFailed(reject)
      .run()
      .catch(reject)
  })
}
