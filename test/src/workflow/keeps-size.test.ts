import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { keepsSize, sizeOf } from '../../../src/workflow/keeps-size.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

async function facts(folder: string, name: string) {
  // The files of this repository are graphs.
  const graph = JSON.parse(await readFile(join(root, folder, name), 'utf8')) as ApiGraph
  const { binding } = analyseGraph(graph, { hints: { family: 'sd15' } })
  return binding && { keeps: keepsSize(graph, binding), size: sizeOf(graph, binding) }
}

t.test('the shipped workflows make pictures of exactly the size that is set', async t => {
  const files = (await readdir(join(root, 'workflows'))).filter(each => each.endsWith('.json'))
  // A hosted service gives what it likes.
  for (const name of files.filter(each => !each.startsWith('replicate-')))
    t.match(await facts('workflows', name), { keeps: true, size: { width: Number, height: Number } }, name)
})

t.test('nothing is claimed where a node might scale or crop', async t => {
  const cases: Record<string, boolean> = {
    'sd15-plain': true,
    'three-loras-language-model': true,
    'cfg-guider-seed-node': true,
    reroutes: true,
    'square-primitive': true,
    primitives: true,
    'second-pass': false,
    'image-to-image': false,
  }
  for (const [name, keeps] of Object.entries(cases))
    t.equal((await facts('test/fixtures/workflows', `${name}.json`))?.keeps, keeps, name)
})

t.test('a ring of nodes ends the walk', async t => {
  const graph: ApiGraph = {
    '1': { class_type: 'VAEDecode', inputs: { samples: ['2', 0] } },
    '2': { class_type: 'RepeatLatentBatch', inputs: { samples: ['1', 0] } },
  }
  t.equal(keepsSize(graph, { save: ['1'], width: [{ node: '9', input: 'width' }] }), false)
  t.equal(sizeOf(graph, { width: [{ node: '9', input: 'width' }] }), undefined)
})
