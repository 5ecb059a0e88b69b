import t from 'tap'
import type { Binding } from '../../../src/schema/binding.js'
import { analyseGraph } from '../../../src/workflow/analyse.js'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { changed, frozen, node, readExpected, readSample, sampleNames } from './samples.js'

/** `<sample>.expected.json`: the binding, or the questions that stand in its way and what follows from answering them. */
interface Expected {
  problems: { severity: string; code: string; path?: string; allowed?: string }[]
  binding?: Binding
  answered?: { hints: Partial<Binding>; binding: Binding }
}

for (const name of sampleNames()) {
  t.test(`analyseGraph reads ${name}`, async t => {
    const graph = frozen(readSample(name))
    const expected = readExpected(name) as Expected // files of ours, written for this test
    const { binding, problems } = analyseGraph(graph)
    t.same(binding, expected.binding)
    t.equal(problems.length, expected.problems.length)
    t.match(problems, expected.problems)
    if (!expected.answered) return
    const answered = analyseGraph(graph, { hints: expected.answered.hints })
    t.same(answered.binding, expected.answered.binding)
    t.notOk(answered.problems.some(each => each.severity === 'error'))
  })
}

t.test('there are samples for every trait, and each has an expectation', async t => {
  t.ok(sampleNames().length >= 60)
})

const plain = readSample('sd15-plain')
const cases: Record<
  string,
  { graph: ApiGraph; hints?: Partial<Binding>; problem: { code: string; [field: string]: unknown } }
> = {
  'asks with lines to paste': {
    graph: readSample('combined-texts'),
    problem: {
      code: 'WORKFLOW_AMBIGUOUS',
      path: 'positive',
      message: /binding file, e\.g\. positive: \[\{ node: "6", input: "text" \}\]$/,
      allowed: '6.text (a knight in a wheat field); 20.text (oil painting)',
    },
  },
  'offers the text of the encoder in place of what a language model writes': {
    graph: readSample('three-loras-language-model'),
    problem: {
      code: 'WORKFLOW_PROMPT_REWRITTEN',
      severity: 'warning',
      message: /bind positive: \[\{ node: "40", input: "text" \}\]/,
      found: /^12 /,
    },
  },
  'tells a hint that does not fit': {
    graph: plain,
    hints: { positive: [{ node: '66', input: 'text' }] },
    problem: { severity: 'error', code: 'WORKFLOW_NODE_UNKNOWN', path: 'positive[0].node' },
  },
  'misses the words of a sampler without any': {
    graph: changed(plain, { '3': { positive: ['4', 0] } }),
    problem: { severity: 'error', code: 'WORKFLOW_UNBOUND', path: 'positive' },
  },
  'misses the seed of a sampler without noise': {
    graph: { ...changed(plain, { '3': { seed: undefined, noise: ['20', 0] } }), '20': node('DisableNoise') },
    problem: { severity: 'error', code: 'WORKFLOW_UNBOUND', path: 'seed' },
  },
  'warns where no model can take a talent': {
    graph: changed(plain, { '3': { model: undefined } }),
    problem: { severity: 'warning', code: 'WORKFLOW_LORA_UNPLACED', path: 'lora' },
  },
  'asks for the family where nothing tells it': {
    graph: changed(plain, { '4': { ckpt_name: 'mine.safetensors' }, '5': { width: 'wide' } }),
    problem: { severity: 'error', code: 'WORKFLOW_AMBIGUOUS', path: 'family', allowed: 'sd15; sdxl; sd3; flux' },
  },
  'takes large pictures for SDXL': {
    graph: changed(plain, { '4': { ckpt_name: 'mine.safetensors' }, '5': { width: 832, height: 1216 } }),
    problem: { severity: 'warning', code: 'WORKFLOW_FAMILY_GUESSED', message: /sdxl.*832 × 1216/ },
  },
  'takes small pictures for Stable Diffusion 1.5': {
    graph: changed(plain, { '4': { ckpt_name: 'mine.safetensors' } }),
    problem: { severity: 'warning', code: 'WORKFLOW_FAMILY_GUESSED', message: /sd15.*512 × 512/ },
  },
  'takes a checkpoint called SD3.5 for SD3': {
    graph: changed(plain, { '4': { ckpt_name: 'SD3\\sd3.5_large.safetensors' }, '5': { width: 1024, height: 1024 } }),
    problem: { severity: 'warning', code: 'WORKFLOW_FAMILY_GUESSED', message: /taken for sd3/ },
  },
  'does not take FLUX.2 for FLUX.1': {
    graph: {
      ...changed(plain, { '6': { clip: ['20', 0] } }),
      '20': node('CLIPLoader', { clip_name: 'mistral.safetensors', type: 'flux2' }),
      '21': node('FluxGuidance', { conditioning: ['6', 0], guidance: 4 }),
      '3': node('KSampler', { ...plain['3']?.inputs, positive: ['21', 0] }),
    },
    problem: {
      severity: 'error',
      code: 'WORKFLOW_AMBIGUOUS',
      path: 'family',
      message: /type flux2, which belong to no family/,
    },
  },
  'says that videos are no pictures': {
    graph: { ...changed(plain, {}), '9': node('VHS_VideoCombine', { images: ['8', 0], filename_prefix: 'v' }) },
    problem: { severity: 'error', code: 'WORKFLOW_UNBOUND', path: 'save', found: /^what makes videos: 9 VHS_/ },
  },
  'asks for prompt and seed where no sampler is known': {
    graph: readSample('all-in-one-pipe'),
    problem: {
      code: 'WORKFLOW_AMBIGUOUS',
      path: 'positive',
      message: /no sampler is known .* e\.g\. positive: \[\{ node: "1", input: "positive" \}\]$/,
    },
  },
  'warns where there is no negative prompt': {
    graph: changed(plain, { '3': { negative: undefined } }),
    problem: { severity: 'warning', code: 'WORKFLOW_NEGATIVE_MISSING', path: 'negative' },
  },
  'asks for the negative prompt': {
    graph: {
      ...changed(plain, { '3': { negative: ['20', 0] } }),
      '20': node('ConditioningConcat', { conditioning_to: ['7', 0], conditioning_from: ['21', 0] }),
      '21': node('CLIPTextEncode', { text: 'grain', clip: ['4', 1] }),
    },
    problem: { code: 'WORKFLOW_AMBIGUOUS', path: 'negative', allowed: '7.text (text, watermark); 21.text (grain)' },
  },
}
for (const [title, { graph, hints, problem }] of Object.entries(cases)) {
  t.test(`analyseGraph ${title}`, async t => {
    const { problems } = analyseGraph(graph, hints && { hints })
    t.match(
      problems.filter(each => each.code === problem.code),
      [problem],
    )
  })
}

t.test('analyseGraph takes hints as they are and asks no more', async t => {
  const hints: Partial<Binding> = { family: 'sdxl', lora: { model: { node: '4', slot: 0 } }, negative: [] }
  const { binding, problems } = analyseGraph(plain, { hints })
  t.equal(binding?.family, 'sdxl')
  t.same(binding?.lora, { model: { node: '4', slot: 0 } })
  t.equal(binding?.negative, undefined)
  t.same(problems, [])
})

t.test('analyseGraph shows what it found', async t => {
  const { found } = analyseGraph(readSample('three-loras-language-model'))
  t.match(
    found.find(each => each.field === 'positive'),
    { node: '14', class: 'Text Multiline', title: 'Persona', input: 'text', value: '"A quiet clerk who likes tea."' },
  )
  t.match(
    found.find(each => each.field === 'lora.clip'),
    { node: '27', slot: 1 },
  )
  t.match(found.at(-1), { field: 'save', node: '60', class: 'SaveImage' })
})

const texts: Record<string, { nodes: ApiGraph; from: [string, number]; bound: Binding['positive'] }> = {
  'goes round a text that leads to itself by two ways': {
    nodes: {
      a: node('StringConcatenate', { string_a: ['b', 0], string_b: ['b', 0], delimiter: ' ' }),
      b: node('PrimitiveString', { value: 'one' }),
    },
    from: ['a', 0],
    bound: [{ node: 'b', input: 'value' }],
  },
  'finds the words that an oddly named input gives to a language model': {
    nodes: {
      a: node('Ollama Generate', { text: 'You are a painter.', question: ['b', 0], seed: 1 }),
      b: node('Mystery', { words: 'a pilot' }),
    },
    from: ['a', 0],
    bound: [{ node: 'b', input: 'words' }],
  },
  'binds the instruction of a language model that is given nothing else': {
    nodes: { a: node('Ollama Generate', { prompt: 'Write of a pilot.', model: 'small' }) },
    from: ['a', 0],
    bound: [{ node: 'a', input: 'prompt' }],
  },
  'leaves empty texts out where words are joined': {
    nodes: { a: node('Text Concatenate', { text_a: 'a baker', text_b: '', delimiter: ', ' }) },
    from: ['a', 0],
    bound: [{ node: 'a', input: 'text_a' }],
  },
  'binds a text that is still empty': {
    nodes: { a: node('PrimitiveString', { value: '' }) },
    from: ['a', 0],
    bound: [{ node: 'a', input: 'value' }],
  },
  'binds the encoder where the text is made of several words without names': {
    nodes: { a: node('Mystery', { one: 'a', two: 'b' }) },
    from: ['a', 0],
    bound: [{ node: '6', input: 'text' }],
  },
}
for (const [title, { nodes, from, bound }] of Object.entries(texts)) {
  t.test(`analyseGraph ${title}`, async t => {
    const { binding } = analyseGraph({ ...changed(plain, { '6': { text: from } }), ...nodes })
    t.same(binding?.positive, bound)
  })
}

t.test('analyseGraph binds a latent whose size is computed at the latent itself', async t => {
  const graph = {
    ...changed(plain, { '5': { width: ['20', 0], height: ['20', 1], batch_size: undefined } }),
    '20': node('Aspect Ratio', { width: 512, height: 512, ratio: '3:4' }),
  }
  const { binding } = analyseGraph(graph)
  t.same(binding?.width, [{ node: '5', input: 'width' }])
  t.same(binding?.height, [{ node: '5', input: 'height' }])
  t.equal(binding?.batch, undefined)
})

t.test('analyseGraph binds a sampler setting that is computed at the sampler itself', async t => {
  const graph = {
    ...changed(plain, { '3': { steps: ['20', 0], cfg: ['21', 0], seed: '7' } }),
    '20': node('MathExpression', { expression: 'a*2', a: ['21', 0] }),
    '21': node('PrimitiveFloat', { value: 5 }),
  }
  const { binding, problems } = analyseGraph(graph)
  t.match(binding, {
    steps: [{ node: '3', input: 'steps' }],
    cfg: [{ node: '21', input: 'value' }],
    seed: [{ node: '3' }],
  })
  t.ok(problems.some(each => each.code === 'WORKFLOW_LINK_REPLACED' && each.path === 'steps[0]'))
})

t.test('analyseGraph survives links in circles, which parseGraph refuses', async t => {
  const circle = { ...changed(plain, { '3': { model: ['20', 0], positive: ['21', 0] }, '6': { text: ['22', 0] } }) }
  circle['20'] = node('Patch', { model: ['20', 0] })
  circle['21'] = node('FluxGuidance', { conditioning: ['21', 0] })
  circle['22'] = node('Reroute', { '': ['22', 0] })
  t.equal(analyseGraph(circle).binding, undefined)
})
