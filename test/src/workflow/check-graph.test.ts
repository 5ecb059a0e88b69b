import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ApiGraph } from '../../../src/workflow/api-graph.js'
import { checkGraph } from '../../../src/workflow/check-graph.js'
import { parseGraph } from '../../../src/workflow/parse-graph.js'
import { changed, node, packageRoot, readJson, readObjectInfo, readSample } from './samples.js'

const info = readObjectInfo()
const plain = readSample('sd15-plain')
const small: ApiGraph = {
  '1': node('EmptyImage', { width: 64, height: 64, batch_size: 1, color: 255 }),
  '2': node('SaveImage', { images: ['1', 0], filename_prefix: 'a' }),
}
const saved = (from: ApiGraph, id: string): ApiGraph => ({
  ...from,
  s: node('SaveImage', { images: [id, 0], filename_prefix: 'a' }),
})
const shown = (from: ApiGraph, id: string): ApiGraph => ({ ...from, s: node('PreviewAny', { source: [id, 0] }) })

/** Problems as `severity code path`, in order. */
const cases: Record<string, { graph: ApiGraph; problems?: string[]; match?: object }> = {
  'accepts what the server takes': { graph: plain },
  'accepts what the server casts': { graph: changed(small, { '1': { width: '64', height: 64, color: true } }) },
  'tells an unknown class, also of a node without use': {
    graph: { ...small, '7': node('KSamplr', {}, 'Mine'), '8': node('AnotherPack', { in: ['1', 0] }) },
    problems: ['error WORKFLOW_CLASS_UNKNOWN ["7"].class_type', 'error WORKFLOW_CLASS_UNKNOWN ["8"].class_type'],
    match: { found: 'KSamplr "Mine"', allowed: 'perhaps KSampler' },
  },
  'tells a class with a name of the prototype': {
    graph: { ...small, '7': node('constructor') },
    problems: ['error WORKFLOW_CLASS_UNKNOWN ["7"].class_type'],
  },
  'judges what an unknown class is given': {
    graph: {
      '1': node('EmptyImage', { width: 0, height: 8, batch_size: 1, color: 0 }),
      '2': node('NewSaver', { images: ['1', 0] }),
    },
    problems: ['error WORKFLOW_CLASS_UNKNOWN ["2"].class_type', 'error WORKFLOW_VALUE_RANGE ["1"].inputs.width'],
  },
  'tells a graph without output': {
    graph: { '1': node('PrimitiveInt', { value: 1 }) },
    problems: ['error WORKFLOW_NO_OUTPUT '],
  },
  'looks, like the server, only at what leads to an output': {
    graph: { ...small, '5': node('EmptyImage', { width: 'x' }) },
  },
  'tells missing inputs': {
    graph: changed(small, { '1': { color: undefined }, '2': { filename_prefix: undefined } }),
    problems: [
      'error WORKFLOW_INPUT_MISSING ["1"].inputs.color',
      'error WORKFLOW_INPUT_MISSING ["2"].inputs.filename_prefix',
    ],
  },
  'warns of unknown inputs, but not of hidden ones': {
    graph: changed(small, { '1': { colour: 3 }, '2': { prompt: {} } }),
    problems: ['warning WORKFLOW_INPUT_UNKNOWN ["1"].inputs.colour'],
  },
  'tells a choice that is not on the list, with the nearest': {
    graph: changed(plain, { '3': { sampler_name: 'dpmp_2m', scheduler: 7 } }),
    problems: [
      'error WORKFLOW_VALUE_UNKNOWN ["3"].inputs.sampler_name',
      'error WORKFLOW_VALUE_UNKNOWN ["3"].inputs.scheduler',
    ],
    match: { message: /does not know/, found: '"dpmp_2m"', allowed: /^perhaps dpmpp_2m, euler, .*, …$/ },
  },
  'tells a model that the server lacks, with the same file elsewhere': {
    graph: changed(plain, { '4': { ckpt_name: 'other\\inkwellmix.safetensors' } }),
    problems: ['error WORKFLOW_VALUE_UNKNOWN ["4"].inputs.ckpt_name'],
    match: { message: /no such file/, allowed: /^perhaps SDXL\/Ink\/InkwellMix\.safetensors, / },
  },
  'tells a model that is like none': {
    graph: changed(plain, { '4': { ckpt_name: 'z.ckpt' } }),
    problems: ['error WORKFLOW_VALUE_UNKNOWN ["4"].inputs.ckpt_name'],
    match: {
      allowed:
        'sd_xl_base_1.0.safetensors, v1-5-pruned-emaonly-fp16.safetensors, sd3.5_medium.safetensors, SDXL/Ink/InkwellMix.safetensors',
    },
  },
  'compares model names without regard to separators': {
    graph: changed(plain, { '4': { ckpt_name: 'SDXL\\Ink\\InkwellMix.safetensors' } }),
  },
  'reads choices of the newer kind': {
    graph: shown({ '1': node('UpscaleModelLoader', { model_name: 'absent.pth' }) }, '1'),
    problems: ['error WORKFLOW_VALUE_UNKNOWN ["1"].inputs.model_name'],
  },
  'says that a list is empty': {
    graph: shown({ '1': node('Empty', { name: 'a.pth' }) }, '1'),
    problems: ['error WORKFLOW_VALUE_UNKNOWN ["1"].inputs.name'],
    match: { allowed: /empty/ },
  },
  'leaves uploads and lists of the browser to the server': {
    graph: {
      ...saved({ '1': node('LoadImage', { image: 'faces/new.png' }) }, '1'),
      '3': node('LoadImageOutput', { image: 'old.png' }),
      '4': node('PreviewImage', { images: ['3', 0] }),
    },
  },
  'leaves choices of several to the server': {
    graph: shown({ '1': node('PickChoice', { choice: 'euler', many: { __value__: ['a', 'b'] } }) }, '1'),
  },
  'tells numbers out of range': {
    graph: changed(plain, { '3': { steps: 0, denoise: 1.5, seed: -1 } }),
    problems: ['seed', 'steps', 'denoise'].map(input => `error WORKFLOW_VALUE_RANGE ["3"].inputs.${input}`),
    match: { found: '-1', allowed: '0 to 18446744073709552000' },
  },
  'tells values that are no numbers': {
    graph: changed(plain, {
      '3': { steps: 'many', cfg: {}, seed: null, denoise: ' ' },
      '5': { width: '1.5', height: 64.5 },
    }),
    problems: [
      'error WORKFLOW_VALUE_UNFIT ["3"].inputs.seed',
      'error WORKFLOW_VALUE_UNFIT ["3"].inputs.steps',
      'error WORKFLOW_VALUE_UNFIT ["3"].inputs.cfg',
      'error WORKFLOW_VALUE_UNFIT ["3"].inputs.denoise',
      'error WORKFLOW_VALUE_UNFIT ["5"].inputs.width',
      'warning WORKFLOW_VALUE_UNFIT ["5"].inputs.height',
    ],
  },
  'tells numbers without a range': {
    graph: shown({ '1': node('PrimitiveInt', { value: 'x' }) }, '1'),
    problems: ['error WORKFLOW_VALUE_UNFIT ["1"].inputs.value'],
    match: { allowed: undefined },
  },
  'warns of numbers that JSON cannot keep': {
    graph: changed(plain, { '3': { seed: 2 ** 60 } }),
    problems: ['warning WORKFLOW_NUMBER_ROUNDED ["3"].inputs.seed'],
  },
  'tells texts that are none, and lets numbers be texts': {
    graph: changed(plain, { '6': { text: null }, '7': { text: 5 } }),
    problems: ['error WORKFLOW_VALUE_UNFIT ["6"].inputs.text'],
  },
  'warns of switches that are no switches': {
    graph: saved(
      {
        '1': small['1'] ?? node(''),
        '2': node('ImageCompositeMasked', {
          destination: ['1', 0],
          source: ['1', 0],
          x: 0,
          y: 0,
          resize_source: 'false',
        }),
        '3': node('ImageCompositeMasked', { destination: ['2', 0], source: ['2', 0], x: 0, y: 0, resize_source: 0 }),
      },
      '3',
    ),
    problems: ['warning WORKFLOW_VALUE_UNFIT ["2"].inputs.resize_source'],
  },
  'tells a value where a link belongs, which the server would take and fail at': {
    graph: changed(small, { '2': { images: 'x.png' } }),
    problems: ['error WORKFLOW_LINK_MISSING ["2"].inputs.images'],
  },
  'tells links that are none': {
    graph: changed(small, { '1': { width: ['9'] }, '2': { images: ['99', 0] } }),
    problems: ['error WORKFLOW_LINK_INVALID ["2"].inputs.images'],
  },
  'tells lists that are no links': {
    graph: changed(small, { '1': { width: ['9'] } }),
    problems: ['error WORKFLOW_LINK_INVALID ["1"].inputs.width'],
  },
  'tells an output that the node does not have': {
    graph: changed(small, { '2': { images: ['1', 1] } }),
    problems: ['error WORKFLOW_LINK_INVALID ["2"].inputs.images'],
    match: { message: /1 outputs, and the link asks for number 1/ },
  },
  'tells links of the wrong type': {
    graph: changed(plain, {
      '9': { images: ['3', 0] },
      '3': { steps: ['6', 0], scheduler: ['5', 0] },
      '6': { text: ['4', 1] },
    }),
    problems: [
      'error WORKFLOW_TYPE_MISMATCH ["3"].inputs.steps',
      'error WORKFLOW_TYPE_MISMATCH ["3"].inputs.scheduler',
      'error WORKFLOW_TYPE_MISMATCH ["6"].inputs.text',
      'error WORKFLOW_TYPE_MISMATCH ["9"].inputs.images',
    ],
    match: { message: /gives CONDITIONING where INT is needed/ },
  },
  'tells numbers, texts, switches and choices of the wrong type': {
    graph: saved(
      {
        '1': node('EmptyImage', { width: ['p', 0], height: ['i', 0], batch_size: 1, color: 0 }),
        '2': node('ImageCompositeMasked', {
          destination: ['1', 0],
          source: ['1', 0],
          x: 0,
          y: 0,
          resize_source: ['i', 0],
        }),
        '3': node('ImageScale', { image: ['2', 0], upscale_method: ['i', 0], width: 1, height: 1, crop: ['c', 0] }),
        i: node('PrimitiveInt', { value: 64 }),
        p: node('PrimitiveString', { value: '64' }),
        c: node('PickChoice', { choice: ['p', 0], many: 'a' }),
      },
      '3',
    ),
    problems: [
      'error WORKFLOW_TYPE_MISMATCH ["1"].inputs.width',
      'error WORKFLOW_TYPE_MISMATCH ["2"].inputs.resize_source',
      'error WORKFLOW_TYPE_MISMATCH ["3"].inputs.upscale_method',
    ],
  },
  'takes unions of types and anything where anything goes': {
    graph: {
      '1': node('LoadMesh', { colour: '#ff0000', text: 5 }),
      '2': node('SaveMesh', { mesh: ['1', 0] }),
      '3': node('PreviewAny', { source: 'text' }),
    },
  },
  'tolerates inputs that grow and that depend on a choice': {
    graph: {
      '1': small['1'] ?? node(''),
      '2': node('BatchImagesNode', { 'images.image0': ['1', 0], 'images.image1': ['1', 0] }),
      '3': node('ResizeImageMaskNode', {
        input: ['2', 0],
        resize_type: 'scale by multiplier',
        'resize_type.multiplier': 2,
        scale_method: 'area',
      }),
      '4': node('SaveImage', { images: ['3', 0], filename_prefix: 'a' }),
    },
  },
  'tells inputs that do not grow at all, and an unknown choice': {
    graph: saved(
      {
        '1': node('BatchImagesNode', { 'other.image0': ['9', 0] }),
        '3': node('ResizeImageMaskNode', { input: ['1', 0], resize_type: 'scale', scale_method: 'area' }),
        '9': small['1'] ?? node(''),
      },
      '3',
    ),
    problems: [
      'error WORKFLOW_INPUT_MISSING ["1"].inputs.images',
      'warning WORKFLOW_INPUT_UNKNOWN ["1"].inputs["other.image0"]',
      'error WORKFLOW_VALUE_UNKNOWN ["3"].inputs.resize_type',
    ],
  },
}
const infoOfCases = { ...info, Empty: { input: { required: { name: [[], {}] } }, output: ['X'] } }
for (const [title, { graph, problems = [], match }] of Object.entries(cases)) {
  t.test(`checkGraph ${title}`, async t => {
    const found = checkGraph(graph, infoOfCases)
    t.same(
      found.map(each => `${each.severity} ${each.code} ${each.path ?? ''}`),
      problems,
    )
    if (match) t.match(found[0], match)
  })
}

t.test('checkGraph reads classes of any shape', async t => {
  const odd = {
    None: 'x',
    NoInput: { output: 5, output_node: true },
    Odd: {
      input: { required: { a: 'INT', b: [], c: [5], d: ['COMBO', {}], e: ['COMFY_NEW_V9', {}] } },
      output: [7],
      output_node: true,
    },
    Combo: { input: { required: { a: ['COMFY_DYNAMICCOMBO_V3', { options: ['x'] }] } }, output_node: true },
  }
  const graph = {
    '1': node('None'),
    '2': node('NoInput', { any: 1 }),
    '3': node('Odd', { a: 1, b: 2, c: 'x', d: 'y', e: 1 }),
    '4': node('Combo', { a: 'y', 'a.b': 1 }),
    '5': node('Odd', { a: ['3', 0], b: 2, c: 'x', d: 'y', 'e.x': 1 }),
  }
  t.same(
    checkGraph(graph, odd).map(each => `${each.code} ${each.path}`),
    [
      'WORKFLOW_CLASS_UNKNOWN ["1"].class_type',
      'WORKFLOW_INPUT_UNKNOWN ["2"].inputs.any',
      'WORKFLOW_VALUE_UNKNOWN ["4"].inputs.a',
    ],
  )
})

for (const version of ['comfyui-0.3.64', 'comfyui-0.12.1']) {
  const folder = join(packageRoot, '../shared/recordings', version)
  if (!existsSync(folder)) {
    t.test(`checkGraph against ${version}`, { skip: 'the recordings are not here' }, async () => {})
    continue
  }
  const real = readJson(join(folder, 'object_info.json')) as Record<string, unknown>

  t.test(`checkGraph accepts the shipped workflows on ${version}, but for their models`, async t => {
    for (const name of ['sd15-text', 'sdxl-text', 'sdxl-backdrop', 'sd3-text', 'flux-text']) {
      const graph = readJson(join(packageRoot, 'workflows', `${name}.json`)) as ApiGraph
      const files = Object.entries(graph).flatMap(([id, { inputs }]) =>
        Object.entries(inputs).flatMap(([input, value]) =>
          /\.safetensors$/.test(String(value)) ? `["${id}"].inputs.${input}` : [],
        ),
      )
      for (const { code, path, message } of checkGraph(graph, real)) {
        t.equal(code, 'WORKFLOW_VALUE_UNKNOWN', message)
        t.ok(files.includes(path ?? ''), `${path} is a model`)
      }
    }
  })

  t.test(`checkGraph judges the recorded graphs as ${version} did`, async t => {
    for (const scenario of ['03-job-success', '08-batch-of-2', '11-validation-errors', '46-several-outputs']) {
      for (const { graph, status, body } of submissions(readJson(join(folder, `${scenario}.json`)))) {
        const told = JSON.stringify(body)
        // What a node decides by its own rule, and what holds no graph at all, is not in the catalogue.
        if (/no_prompt|custom_validation_failed/.test(told)) continue
        const refused = status !== 200 || /"node_errors":\{"/.test(told)
        const found = checkGraph(graph, real).filter(each => each.severity === 'error')
        if (refused) t.ok(found.length > 0, `${scenario}: ${told.slice(0, 200)}`)
        if (!refused && !/x\.png|absent/.test(JSON.stringify(graph))) t.same(found, [], scenario)
      }
    }
  })
}

interface Step {
  dir: string
  req?: number
  method?: string
  path?: string
  status?: number
  body?: unknown
}

function* submissions(recording: unknown): Generator<{ graph: ApiGraph; status: number; body: unknown }> {
  const { steps } = recording as { steps: Step[] } // the shape is that of the recordings' README
  for (const [index, { dir, path, body }] of steps.entries()) {
    const graph = dir === 'http-request' && path === '/prompt' && (body as { prompt?: ApiGraph } | undefined)?.prompt
    const answer = steps.slice(index + 1).find(each => each.dir === 'http-response')
    // The program parses before it checks, so what parseGraph refuses is not judged a second time.
    if (!graph || !answer?.status || !parseGraph(graph, 'recording').graph) continue
    yield { graph, status: answer.status, body: answer.body }
  }
}
