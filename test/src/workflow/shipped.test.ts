import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { parse } from 'yaml'
import type { Binding } from '../../../src/schema/binding.js'
import { bindingSchema } from '../../../src/schema/binding.js'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import { bindGraph } from '../../../src/workflow/bind.js'
import { bindingSnippet } from '../../../src/workflow/binding-snippet.js'
import { checkBinding } from '../../../src/workflow/check-binding.js'
import { checkGraph } from '../../../src/workflow/check-graph.js'
import { parseGraph } from '../../../src/workflow/parse-graph.js'
import { packageRoot, readJson, readObjectInfo } from './samples.js'

const folder = join(packageRoot, 'workflows')
const names = readdirSync(folder)
  .filter(file => file.endsWith('.json'))
  .map(file => file.slice(0, -5))
const isBinding = new Ajv2020({ strict: false }).compile<Binding>(bindingSchema)

const hosted = ['replicate-flux-2-pro', 'replicate-flux-kontext-pro']
t.same(names, ['flux-text', ...hosted, 'sd15-text', 'sd3-text', 'sdxl-backdrop', 'sdxl-text'])
for (const name of names) {
  const { graph = {}, problems } = parseGraph(readJson(join(folder, `${name}.json`)), name)
  const binding: unknown = parse(readFileSync(join(folder, `${name}.binding.yaml`), 'utf8'))

  t.test(`workflow ${name} and its binding fit`, async t => {
    t.same(problems, [])
    if (!isBinding(binding)) return t.fail(JSON.stringify(isBinding.errors))
    t.same(checkBinding(graph, binding), [])
    t.equal(binding.renderer, hosted.includes(name) ? 'replicate' : undefined)
  })
  // What follows is about graphs of ComfyUI.
  if (hosted.includes(name)) continue

  t.test(`workflow ${name} is bound by analysis as by its file`, async t => {
    const found = analyseGraph(graph, { hints: { family: (binding as Binding).family } })
    t.same(found.problems, [])
    const { title: _, ...written } = binding as Binding & { title: string }
    t.same(found.binding, written)
    t.same(parse(bindingSnippet(written)), written, 'the snippet reads back')
  })

  t.test(`workflow ${name} is taken by a server that has its models`, async t => {
    t.same(checkGraph(graph, readObjectInfo()), [])
    const loras = [{ id: 'avatar.style.mecha', modelWeight: 0.5, clipWeight: 0.5, hasTextEncoder: true }]
    const values = { positive: 'p', negative: 'n', seed: 2 ** 53 - 1, width: 1368, height: 768, loras }
    const bound = bindGraph({ graph, binding: binding as Binding, values })
    t.match(checkGraph(bound, readObjectInfo()), [
      { code: 'WORKFLOW_VALUE_UNKNOWN', found: '"talent:avatar.style.mecha"' },
    ])
  })
}

t.test('every workflow is named on the page', async t => {
  const page = readFileSync(join(folder, 'README.md'), 'utf8')
  for (const name of names) t.match(page, `\`${name}\``)
})

t.test('the example on the page is a binding', async t => {
  const page = readFileSync(join(folder, 'README.md'), 'utf8')
  const example: unknown = parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? '')
  t.ok(isBinding(example))
})
