import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Problem } from '../../../src/errors.js'
import { readWorkflows } from '../../../src/library/workflows.js'
import { chooseWorkflow, isWorkflowPath, type WorkflowWish } from '../../../src/operations/choose-workflow.js'
import type { Template } from '../../../src/schema/template.js'
import { parseGraph } from '../../../src/workflow/parse-graph.js'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const { workflows: library } = await readWorkflows([join(root, 'workflows')], parseGraph)
const fixture = (name: string) => join(root, 'test/fixtures/workflows', `${name}.json`)
const byFamily = { sd15: 'sd15-text', sdxl: 'sdxl-text', flux: 'flux-text' }

const portrait: Template = { id: 'p', title: 'P', subject: 'persona', views: [], sizes: {}, count: 1 }
const backdrop: Template = { ...portrait, subject: 'backdrop', workflows: { sdxl: 'sdxl-backdrop' } }

async function choose(template: Template, wish: Partial<WorkflowWish>) {
  const problems: Problem[] = []
  const whole = {
    persona: undefined,
    backdrop: undefined,
    family: undefined,
    usualFamily: 'sd15',
    byFamily,
    renderer: 'comfyui',
    ...wish,
  } as const
  return { chosen: await chooseWorkflow(template, whole, { library, problems }), problems }
}

t.test('the workflow of a template: what is named, else the template’s own, else the usual one', async t => {
  const cases: [
    template: Template,
    wish: Partial<WorkflowWish>,
    name: string | undefined,
    family: string | undefined,
  ][] = [
    [portrait, {}, 'sd15-text', 'sd15'],
    [portrait, { usualFamily: 'sdxl' }, 'sdxl-text', 'sdxl'],
    [portrait, { family: 'flux', usualFamily: 'sdxl' }, 'flux-text', 'flux'],
    [portrait, { persona: 'sdxl-text' }, 'sdxl-text', 'sdxl'],
    [backdrop, { persona: 'sd15-text', usualFamily: 'sdxl' }, 'sdxl-backdrop', 'sdxl'],
    [backdrop, { backdrop: 'sdxl-text' }, 'sdxl-text', 'sdxl'],
    [portrait, { persona: fixture('sd15-plain'), usualFamily: 'sdxl' }, 'sd15-plain', 'sd15'],
    [portrait, { persona: fixture('sd15-plain'), family: 'sdxl' }, 'sd15-plain', 'sdxl'],
  ]
  for (const [template, wish, name, family] of cases) {
    const { chosen } = await choose(template, wish)
    t.same([chosen?.planned.name, chosen?.planned.family], [name, family], JSON.stringify(wish))
    t.equal(chosen?.isOwn, isWorkflowPath(wish.persona ?? ''))
  }
})

t.test('what cannot be chosen is a problem', async t => {
  t.match(await choose(portrait, { persona: 'sd15-tex' }), {
    chosen: undefined,
    problems: [{ code: 'WORKFLOW_UNKNOWN', message: /did you mean "sd15-text"/, allowed: /\.json/ }],
  })
  t.match((await choose(portrait, { persona: fixture('gone') })).problems, [{ code: 'FILE_UNREADABLE' }])
  t.match((await choose(portrait, { persona: fixture('only-previews') })).chosen, undefined)
  const dir = t.testdir({ orders: {}, 'flow.json': await readFile(fixture('sd15-plain'), 'utf8') })
  const inside = join(dir, 'orders')
  const outside = await choose(portrait, { persona: '../flow.json', inside })
  t.match(outside, { chosen: undefined, problems: [{ code: 'PATH_ESCAPES', path: 'workflow' }] })
  t.match((await choose(portrait, { persona: 'flow.json', inside: dir })).chosen?.planned.name, 'flow')
})
