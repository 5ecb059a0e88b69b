import t from 'tap'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startDraftServer } from '../../../../plugins/provider-comfyui/draft-server/draft-server.js'
import type { DraftVersion } from '../../../../plugins/provider-comfyui/draft-server/options.js'
import { DraftClient, sampledGraph, smallGraph } from './draft-client.js'

/**
 * What the draft server answers in short scenes, held to `scenes.json`: the order of frames, statuses, and the shape of
 * every body. It holds where the recordings of real servers are not at hand. After a wanted change run this file with
 * `--write` while the conformance test passes, then format the file.
 */
const scenes: Record<string, (client: DraftClient) => Promise<unknown>> = {
  'a job, and the same again': async c => {
    await c.run(smallGraph(1, 'a/b'), 'p1')
    await c.run(smallGraph(1, 'a/b'), 'p2')
    await c.run(smallGraph(1, 'a/c'), 'p3')
    await c.ask('GET', '/view?filename=b_00001_.png&subfolder=a')
    await c.ask('GET', '/view?filename=b_00002_.png&subfolder=a')
  },
  'a sampled picture': async c => await c.run(sampledGraph(1, 's'), 'p1'),
  'an exception in a node': async c => {
    const graph = smallGraph(1, 'a')
    await c.run({ ...graph, '3': { class_type: 'SaveImage', inputs: { images: 'x.png', filename_prefix: 'a' } } }, 'p1')
    await c.run(smallGraph(1, '../evil'), 'p2')
  },
  'an interrupted job': async c => {
    c.server.setFaults({ stepMs: 700 })
    await c.submit(sampledGraph(2, 'i'), 'p1')
    await c.frame(({ type }) => type === 'progress')
    await c.ask('POST', '/interrupt', { prompt_id: 'p1' })
    await c.ended('p1')
    await c.ask('GET', '/history/p1')
  },
  'one branch of two': async c => {
    const graph = { ...smallGraph(1, 'a'), '4': { class_type: 'ImageScale', inputs: { image: ['2', 0] } } }
    await c.run({ ...graph, '5': { class_type: 'PreviewImage', inputs: { images: ['4', 0] } } }, 'p1')
  },
  'refused graphs': async c => {
    const graph = smallGraph(1, 'a')
    const changed = (id: string, inputs: object) => ({
      ...graph,
      [id]: { ...graph[id], inputs: { ...graph[id]?.inputs, ...inputs } },
    })
    for (const wrong of [
      { '1': { class_type: 'NoSuchNode', inputs: {} } },
      { '1': { inputs: {} } },
      {},
      changed('1', { width: 0 }),
      changed('1', { width: 'wide' }),
      changed('1', { height: null }),
      changed('2', { image: ['1', 7] }),
      changed('2', { image: ['99', 0] }),
      changed('3', { images: ['2'] }),
      changed('2', { image: ['2', 0] }),
    ]) {
      await c.submit(wrong, 'p')
    }
    await c.ask('POST', '/prompt', '{')
  },
  'queue, history and the rest': async c => {
    await c.run(smallGraph(1, 'a'), 'p1', { extra_data: { extra_pnginfo: { workflow: { id: 'w' } } } })
    for (const path of [
      ...['/queue', '/prompt', '/history?max_items=1', '/history/none', '/api/jobs', '/api/jobs/p1', '/api/jobs/none'],
      ...['/object_info/SaveImage', '/models', '/models/checkpoints', '/models/none', '/embeddings', '/features'],
      ...['/system_stats', '/experiment/models/loras', '/view', '/view?filename=../x', '/none', '/ws'],
    ]) {
      await c.ask('GET', path)
    }
    await c.ask('POST', '/history', { delete: ['p1'] })
    await c.ask('POST', '/queue', { clear: true })
    await c.ask('POST', '/free', { free_memory: true })
  },
}

const file = join(packageRoot(), 'test/plugins/provider-comfyui/draft-server/scenes.json')
const isWriting = process.argv.includes('--write')
const expected = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {}
const told: Record<string, unknown> = {}

for (const version of ['0.12.1', '0.3.64'] satisfies DraftVersion[]) {
  for (const [title, act] of Object.entries(scenes)) {
    t.test(`the draft server as ${version}: ${title}`, async t => {
      const lenient = title === 'a sampled picture' || title === 'an interrupted job'
      const server = await startDraftServer({ version, lenient, faults: { prepared: true } })
      const client = await DraftClient.open(server, 'me')
      t.teardown(async () => {
        client.close()
        await server.close()
      })
      await client.frame(({ type }) => type === 'status')
      await act(client)
      const seen = {
        answers: client.answers.map(({ asked, answer }) => `${asked} ${answer.status} ${compact(answer.json)}`),
        frames: client.frames.map(
          ({ type, data }) => `${type}${'node' in data ? ` ${data.node}` : ''} ${compact(data)}`,
        ),
      }
      if (isWriting) told[`${version} ${title}`] = seen
      else t.strictSame(seen, expected[`${version} ${title}`])
    })
  }
}
t.teardown(() => {
  if (isWriting) writeFileSync(file, `${JSON.stringify(told, undefined, 1)}\n`)
})

/** Names and types, without any value that a clock or a chance decides. */
function compact(value: unknown): string {
  return JSON.stringify(shapeOf(value)).replaceAll('"', '')
}

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, name === 'nodes' ? 0 : shapeOf(each)]))
  }
  return value === null || value === undefined ? null : typeof value === 'boolean' ? value : (typeof value)[0]
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}
