import t from 'tap'
import type { LibraryWorkflow } from '../../../src/library/workflows.js'
import { chooseRenderer } from '../../../src/operations/choose-renderer.js'
import type { PlannedWorkflow } from '../../../src/schema/run.js'
import { sampleWorkflow } from '../plan/sample-plan.js'

const workflow = (name: string, renderer?: string): PlannedWorkflow => {
  const sample = sampleWorkflow()
  return { ...sample, name, binding: { ...sample.binding, ...(renderer !== undefined && { renderer }) } }
}
const [graph, hosted, other] = [workflow('graph'), workflow('hosted', 'replicate'), workflow('other', 'elsewhere')]
const toLibrary = ({ name, binding }: PlannedWorkflow): [string, LibraryWorkflow] => [
  name,
  { name, path: `/${name}.json`, file: name, graph: {}, graphSha256: '', binding },
]
const library = new Map([graph, hosted, other].map(toLibrary))

/** The workflows, what the home renders by, what it lists, what is chosen, and what is said. */
const cases: [string, PlannedWorkflow[], string, string[], string, RegExp[]][] = [
  ['no workflow says it: the home does', [graph], 'draft', ['draft'], 'draft', []],
  ['one says it', [hosted], 'comfyui', ['comfyui', 'replicate'], 'replicate', []],
  ['the home is of that one', [hosted], 'replicate', ['replicate'], 'replicate', []],
  ['no such server', [hosted], 'comfyui', ['comfyui'], 'replicate', [/hosted is rendered by replicate alone/]],
  ['a graph for a service', [graph], 'replicate', ['replicate'], 'replicate', [/graph is a graph of ComfyUI/]],
  [
    'both in one run',
    [hosted, graph],
    'comfyui',
    ['comfyui', 'replicate'],
    'replicate',
    [/graph is a graph of ComfyUI/],
  ],
  ['two services', [hosted, other], 'comfyui', ['replicate', 'elsewhere'], 'replicate', [/different renderers/]],
  ['a renderer without workflows of its own', [graph], 'mine', ['mine'], 'mine', []],
]
for (const [title, workflows, renderer, listed, chosen, said] of cases)
  t.test(`chooseRenderer: ${title}`, async t => {
    const found = chooseRenderer(workflows, { renderer, lists: each => listed.includes(each), library })
    t.equal(found.renderer, chosen)
    t.match(
      found.problems.map(({ message }) => message),
      said,
    )
    t.equal(found.problems.length, said.length)
    for (const problem of found.problems)
      t.match(problem, { code: 'WORKFLOW_RENDERER_UNFIT', severity: 'error', allowed: String })
  })
