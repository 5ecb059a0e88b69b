import t from 'tap'
import { fitMix } from '../../../src/plan/fit-mix.js'
import type { Mix } from '../../../src/schema/run.js'
import { sampleWorkflow } from './sample-plan.js'

const lora: Mix['loras'][number] = {
  talent: 'ink',
  role: 'style',
  raw: 1,
  effective: 1,
  source: 'slider ink',
  weightsSha256: 'a',
  sizeBytes: 1,
  hasTextEncoder: true,
  draft: false,
}
const mix: Mix = {
  positive: [{ text: 'a robot', source: 'p' }],
  negative: [{ text: 'blurry', source: 't' }],
  loras: [lora],
  leftOut: [{ talent: 'other', reason: 'not here' }],
  sliders: { ink: 1 },
}
const { lora: _lora, ...plain } = sampleWorkflow().binding
const negative = [{ node: '2', input: 'text' }]
const workflowWith = (more: object) => ({ ...sampleWorkflow(), binding: { ...plain, ...more } })
const anchor = { model: { node: '1', slot: 0 } }

t.test('a workflow with a place for all of a mix gets it as it is', async t => {
  const fitted = fitMix(mix, workflowWith({ lora: anchor, negative }))
  t.equal(fitted.mix, mix)
  t.same(fitted.problems, [])
})

t.test('what a workflow has no place for is left out, with the reason', async t => {
  const fitted = fitMix(mix, workflowWith({}))
  t.same(fitted.mix, {
    ...mix,
    loras: [],
    negative: [],
    leftOut: [
      { talent: 'other', reason: 'not here' },
      { talent: 'ink', reason: 'the workflow takes no LoRAs' },
      { what: 'negative', reason: 'the workflow takes none' },
    ],
  })
  t.match(fitted.problems, [{ severity: 'warning', code: 'WORKFLOW_LORA_NONE', found: 'ink' }])
  t.same(fitMix(mix, workflowWith({ lora: anchor })).mix.loras, [lora])
  t.same(fitMix({ ...mix, negative: [], loras: [] }, workflowWith({})).mix.leftOut, mix.leftOut, 'nothing is missed')
})
