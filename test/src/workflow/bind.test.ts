import t from 'tap'
import { hashJson } from '../../../src/files/hash.js'
import type { Binding } from '../../../src/schema/binding.js'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { bindGraph, bindSeed, prepareBinding } from '../../../src/workflow/bind.js'
import { logicalGraph, withSavePrefix } from '../../../src/workflow/canonical-graph.js'
import { checkBinding } from '../../../src/workflow/check-binding.js'
import type { ChainLora } from '../../../src/workflow/lora-chain.js'
import { parseGraph } from '../../../src/workflow/parse-graph.js'
import { samplerFacts } from '../../../src/workflow/sampler-facts.js'
import { changed, frozen, node, readSample, sampleNames } from './samples.js'

const identity: ChainLora = { id: 'avatar.identity.dot_mira', modelWeight: 0.9, clipWeight: 0.8, hasTextEncoder: true }
const style: ChainLora = { id: 'avatar.style.ink', modelWeight: 0.35, clipWeight: 0.35, hasTextEncoder: false }
const values = { positive: 'a pilot', negative: 'blurry', seed: 42, width: 640, height: 960, loras: [identity, style] }
const identityId = 'foundry:lora:avatar_identity_dot_mira'
const styleId = 'foundry:lora:avatar_style_ink'

function bound(
  name: string,
  more: Partial<typeof values> = {},
): { graph: ApiGraph; before: ApiGraph; binding: Binding } {
  const before = frozen(readSample(name))
  const binding = analyseGraph(before).binding
  if (!binding) throw new TypeError(`${name} is not bound`)
  return { graph: bindGraph({ graph: before, binding, values: { ...values, ...more } }), before, binding }
}

for (const name of sampleNames()) {
  const graph = frozen(readSample(name))
  const { binding } = analyseGraph(graph)
  if (!binding) continue
  t.test(`bindGraph keeps ${name} whole`, async t => {
    const result = bindGraph({ graph, binding, values })
    t.same(parseGraph(result, name).problems, [], 'no link is lost and no circle closed')
    t.notOk(checkBinding(result, binding).some(each => each.severity === 'error'))
    t.same(graph, readSample(name), 'the graph that was given stays as it is')
    for (const { node, input } of binding.positive) t.equal(result[node]?.inputs[input], 'a pilot')
    for (const { node, input } of binding.seed) t.equal(result[node]?.inputs[input], 42)
    for (const { node, input } of binding.batch ?? []) t.equal(result[node]?.inputs[input], 1)
    t.equal(hashJson(result), hashJson(bindGraph({ graph, binding, values })), 'the same values give the same graph')
  })
}

t.test('bindGraph sets every value and replaces links', async t => {
  const { graph } = bound('square-primitive', { loras: [] })
  t.match(graph['5']?.inputs, { width: 640, height: 960, batch_size: 1 })
  t.equal(graph['7']?.inputs.text, 'blurry')
  t.equal(bound('captioned-picture').graph['6']?.inputs.text, 'a pilot')
  t.same(bound('sdxl-two-texts').graph['6']?.inputs, {
    width: 640,
    height: 960,
    crop_w: 0,
    crop_h: 0,
    target_width: 640,
    target_height: 960,
    text_g: 'a pilot',
    text_l: 'a pilot',
    clip: [identityId, 1],
  })
})

t.test('bindGraph shares the nodes that it leaves alone', async t => {
  const { graph, before } = bound('sd15-plain')
  t.equal(graph['8'], before['8'])
  t.equal(graph['4'], before['4'])
  t.not(graph['6'], before['6'])
})

t.test('bindGraph chains LoRAs behind those of the workflow and before its patches', async t => {
  const { graph } = bound('three-loras-language-model')
  t.same(graph[identityId], {
    class_type: 'LoraLoader',
    inputs: {
      model: ['27', 0],
      clip: ['27', 1],
      lora_name: 'talent:avatar.identity.dot_mira',
      strength_model: 0.9,
      strength_clip: 0.8,
    },
  })
  t.same(graph[styleId], {
    class_type: 'LoraLoaderModelOnly',
    inputs: { model: [identityId, 0], lora_name: 'talent:avatar.style.ink', strength_model: 0.35 },
  })
  t.same(graph['31']?.inputs.model, [styleId, 0], 'the patch takes the end of the chain')
  t.same(graph['42']?.inputs.model, ['31', 0], 'the sampler still takes the patch')
  t.same(
    [graph['2']?.inputs.clip, graph['40']?.inputs.clip],
    [
      [identityId, 1],
      [identityId, 1],
    ],
  )
  t.same(
    [graph['27']?.inputs.model, graph['27']?.inputs.clip],
    [
      ['18', 0],
      ['18', 1],
    ],
  )
  t.equal(graph['14']?.inputs.text, 'a pilot')
  t.same(graph['12']?.inputs.prompt, ['14', 0], 'the language model stays')
  t.same(Object.keys(graph).slice(-2), [identityId, styleId])
})

t.test('bindGraph moves all consumers of MODEL', async t => {
  const { graph } = bound('second-pass')
  t.same(
    [graph['3']?.inputs.model, graph['11']?.inputs.model],
    [
      [styleId, 0],
      [styleId, 0],
    ],
  )
  const flux = bound('flux-custom-sampler').graph
  t.same(flux['30']?.inputs.model, [styleId, 0])
  t.same(
    [flux['17']?.inputs.model, flux['22']?.inputs.model],
    [
      ['30', 0],
      ['30', 0],
    ],
  )
})

t.test('bindGraph closes no circle where the text takes CLIP from before the LoRAs of the workflow', async t => {
  const { graph } = bound('clip-before-loras')
  t.same(graph['21']?.inputs.clip, ['4', 1], 'what the anchor is made from stays')
  t.same(graph[identityId]?.inputs.model, ['21', 0])
  t.same(graph['6']?.inputs.clip, [identityId, 1])
})

t.test('bindGraph leaves CLIP alone where the binding has none', async t => {
  const { graph } = bound('pipe-loader')
  t.equal(graph[identityId]?.class_type, 'LoraLoaderModelOnly')
  t.same(graph['2']?.inputs.model, [styleId, 0])
  t.same(graph['2']?.inputs.positive, ['1', 1])
})

t.test('bindGraph gives talents whose names differ only in dots ids of their own', async t => {
  const twins = [
    { ...style, id: 'avatar.style.a.b' },
    { ...style, id: 'avatar.style.a_b' },
  ]
  const { graph } = bound('sd15-plain', { loras: twins })
  t.same(Object.keys(graph).slice(-2), ['foundry:lora:avatar_style_a_b', 'foundry:lora:avatar_style_a_b+'])
})

t.test('bindGraph chains onto a graph that was taken from one of its own pictures', async t => {
  const { graph, binding } = bound('sd15-plain')
  const again = bindGraph({ graph, binding, values })
  t.same(parseGraph(again, 'picture').problems, [])
})

t.test('bindGraph mixes in no talents where the binding has no place for them', async t => {
  const { binding, before } = bound('sd15-plain')
  const { lora: _, ...rest } = binding
  const graph = bindGraph({ graph: before, binding: rest, values })
  t.same(Object.keys(graph), Object.keys(before))
})

t.test('bindGraph ignores bindings of nodes that are not there, which checkBinding tells', async t => {
  const { binding, before } = bound('sd15-plain', { loras: [] })
  const graph = bindGraph({
    graph: before,
    binding: { ...binding, cfg: [{ node: 'x', input: 'cfg' }] },
    values: { ...values, sampler: { cfg: 3 } },
  })
  t.notOk('x' in graph)
})

t.test('prepareBinding is done once for many seeds', async t => {
  const { binding, before } = bound('sd15-plain')
  const sampler = { steps: 12, cfg: 5, sampler: 'ddim', scheduler: 'simple' }
  const prepared = frozen(prepareBinding(before, binding, { ...values, sampler }))
  const one = bindSeed(prepared, 1)
  const two = bindSeed(prepared, 2)
  t.same([one['3']?.inputs.seed, two['3']?.inputs.seed], [1, 2])
  t.equal(one['6'], two['6'])
  t.match(one['3']?.inputs, { steps: 12, cfg: 5, sampler_name: 'ddim', scheduler: 'simple' })
  t.same(one, bindGraph({ graph: before, binding, values: { ...values, sampler, seed: 1 } }))
})

t.test('logicalGraph leaves out what does not change the picture', async t => {
  const { graph, binding } = bound('three-loras-language-model')
  const logical = logicalGraph(frozen(graph), binding.save)
  t.notOk(Object.values(logical).some(each => '_meta' in each))
  t.equal(logical['60']?.inputs.filename_prefix, '')
  t.equal(graph['60']?.inputs.filename_prefix, 'avatar')
  const renamed = withSavePrefix(
    { ...graph, '14': { ...node('Text Multiline', graph['14']?.inputs, 'Other') } },
    ['60'],
    'x/1',
  )
  t.equal(hashJson(logicalGraph(renamed, binding.save)), hashJson(logical))
  t.not(hashJson(logicalGraph(changed(graph, { '14': { text: 'b' } }), binding.save)), hashJson(logical))
})

t.test('withSavePrefix sets the prefix of the save nodes only', async t => {
  const graph = frozen(readSample('two-save-nodes'))
  const result = withSavePrefix(graph, ['12', 'gone'], 'run/job-1')
  t.equal(result['12']?.inputs.filename_prefix, 'run/job-1')
  t.equal(result['9'], graph['9'])
  t.notOk('gone' in result)
})

const facts = {
  'sd15-plain': { steps: 20, cfg: 8, sampler: 'euler', scheduler: 'normal', denoise: 1 },
  'flux-custom-sampler': { steps: 20, sampler: 'euler', scheduler: 'simple', denoise: 1, guidance: 3.5 },
  'second-pass': {
    steps: [20, 14],
    cfg: 8,
    sampler: ['euler', 'dpmpp_2m'],
    scheduler: ['normal', 'simple'],
    denoise: [1, 0.5],
  },
  'base-and-refiner': { steps: 25, cfg: 8, sampler: 'euler', scheduler: 'normal' },
}
for (const [name, expected] of Object.entries(facts)) {
  t.test(`samplerFacts tells the settings of ${name}`, async t => {
    const { graph, binding } = bound(name)
    t.same(samplerFacts(graph, binding), expected)
  })
}
t.test('samplerFacts tells nothing of a binding without settings', async t => {
  const { graph, binding } = bound('sd15-plain')
  const { family, positive, seed, save } = binding
  t.same(samplerFacts(graph, { family, positive, seed, save }), {})
})

t.test('a seed beyond what the inputs take is folded into their range', async t => {
  const graph = readSample('sd15-plain')
  const { binding } = analyseGraph(graph)
  if (!binding) throw new TypeError('it is not bound')
  const seedIn = (seedMax: number | undefined, seed: number) => {
    const result = bindSeed(prepareBinding(graph, { ...binding, ...(seedMax && { seedMax }) }, values), seed)
    return binding.seed.map(({ node, input }) => result[node]?.inputs[input])
  }
  t.strictSame(seedIn(undefined, 2 ** 53 - 1), [2 ** 53 - 1])
  t.strictSame(seedIn(2 ** 31 - 1, 2 ** 31 - 1), [2 ** 31 - 1])
  t.strictSame(seedIn(2 ** 31 - 1, 2 ** 31), [0])
  t.strictSame(seedIn(2 ** 31 - 1, 2 ** 53 - 1), [2 ** 31 - 1])
})
