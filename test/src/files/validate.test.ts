import t from 'tap'
import { parseDocument } from '../../../src/files/document.js'
import { validateDocument, validateValue } from '../../../src/files/validate.js'
import { personaKitSchema } from '../../../src/schema/persona-kit.js'
import { personaManifestSchema } from '../../../src/schema/persona-manifest.js'
import { renderOrderSchema } from '../../../src/schema/render-order.js'

function check(schema: object, text: string, format: 'json' | 'yaml' = 'yaml') {
  return validateDocument(schema, parseDocument(text, { file: 'a.yaml', format })).problems
}

const kitWithTwentyMistakes = `dot_id: 0123
version: 1.0
name: ""
description: 7
sliders:
  mecha: 1.5
  animal: "0,65"
  other: yes
finish: [flat]
palette:
  primary: 1F6F78
  secondary: '#12345'
  accent: ~
voice: alloy
tone:
  warmth: -0.1
  formality: 1e1
  humour: "70%"
phrasebook:
  say: Hello
  avoid: [""]
  avoid: []
boundaries: none
`

t.test('validateDocument tells twenty mistakes of one YAML file, each at its place', async t => {
  const problems = check(personaKitSchema, kitWithTwentyMistakes.replace('name: ""', 'name: ""\nname: ""'))
  t.strictSame(
    problems.map(p => `${p.line}:${p.column} ${p.path} ${p.code}`),
    [
      '1:9 dot_id DOCUMENT_NUMBER_AMBIGUOUS',
      '1:9 dot_id DOCUMENT_TYPE',
      '2:10 version DOCUMENT_TYPE',
      '4:1 name DOCUMENT_KEY_DUPLICATE',
      '4:7 name DOCUMENT_LENGTH',
      '5:14 description DOCUMENT_TYPE',
      '7:10 sliders.mecha DOCUMENT_VALUE_RANGE',
      '8:11 sliders.animal DOCUMENT_TYPE',
      '9:10 sliders.other DOCUMENT_TYPE',
      '10:9 finish DOCUMENT_TYPE',
      '12:12 palette.primary DOCUMENT_PATTERN',
      '13:14 palette.secondary DOCUMENT_PATTERN',
      '14:11 palette.accent DOCUMENT_TYPE',
      '15:8 voice DOCUMENT_TYPE',
      '17:11 tone.warmth DOCUMENT_VALUE_RANGE',
      '18:14 tone.formality DOCUMENT_VALUE_RANGE',
      '19:11 tone.humour DOCUMENT_TYPE',
      '21:8 phrasebook.say DOCUMENT_TYPE',
      '23:3 phrasebook.avoid DOCUMENT_KEY_DUPLICATE',
      '24:13 boundaries DOCUMENT_TYPE',
    ],
  )
  t.equal(problems.length, 20)
  t.ok(problems.every(p => p.file === 'a.yaml' && p.message !== ''))
})

t.test('validateDocument tells twenty mistakes of one JSON file, each at its place', async t => {
  const lines = [
    '{',
    '  "name": "a b",',
    '  "name": "-",',
    '  "personas": ["", 1, null, [],',
    '    {}, true],',
    '  "templates": [],',
    '  "workflow": "",',
    '  "seed": -1,',
    '  "seeds": [1.5, "2"],',
    '  "count": 0,',
    '  "set": {"mecha": 2, "animal": [0.5, 3], "x": "y", "z": []},',
    '  "promt": "hello",',
    '  "extra": 1,',
    '  "prompt": 7,',
    '}',
  ]
  const problems = check(renderOrderSchema, lines.join('\n'), 'json')
  t.strictSame(
    problems.map(p => `${p.line}:${p.column} ${p.path ?? ''} ${p.code}`),
    [
      '3:3 name DOCUMENT_KEY_DUPLICATE',
      '3:11 name DOCUMENT_PATTERN',
      '4:16 personas[0] DOCUMENT_LENGTH',
      '4:20 personas[1] DOCUMENT_TYPE',
      '4:23 personas[2] DOCUMENT_TYPE',
      '4:29 personas[3] DOCUMENT_TYPE',
      '5:5 personas[4] DOCUMENT_TYPE',
      '5:9 personas[5] DOCUMENT_TYPE',
      '6:16 templates DOCUMENT_LENGTH',
      '7:15 workflow DOCUMENT_LENGTH',
      '8:11 seed DOCUMENT_VALUE_RANGE',
      '9:13 seeds[0] DOCUMENT_TYPE',
      '9:18 seeds[1] DOCUMENT_TYPE',
      '10:12 count DOCUMENT_VALUE_RANGE',
      '11:20 set.mecha DOCUMENT_VALUE_RANGE',
      '11:39 set.animal[1] DOCUMENT_VALUE_RANGE',
      '11:48 set.x DOCUMENT_TYPE',
      '11:58 set.z DOCUMENT_LENGTH',
      '12:3 promt DOCUMENT_PROPERTY_UNKNOWN',
      '13:3 extra DOCUMENT_PROPERTY_UNKNOWN',
      '14:13 prompt DOCUMENT_TYPE',
      '15:1  DOCUMENT_SYNTAX',
    ],
  )
})

const shapes = {
  type: 'object',
  additionalProperties: false,
  required: ['kind'],
  properties: {
    kind: { enum: ['flat', 'glossy'] },
    size: { type: 'integer', minimum: 8, maximum: 64, multipleOf: 8 },
    ratio: { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
    count: { type: 'integer' },
    isOpen: { type: 'boolean' },
    label: { type: 'string', minLength: 2, maxLength: 4 },
    code: { type: 'string', pattern: '^[a-z]+$', description: 'Small letters', examples: ['ab'] },
    bare: { type: 'string', pattern: '^[a-z]+$' },
    list: { type: 'array', minItems: 1, maxItems: 2, items: { type: 'number' } },
    version: { const: 'shape/1' },
    choice: {
      anyOf: [
        { type: 'number', minimum: 0 },
        { type: 'array', items: { type: 'number' } },
      ],
    },
    part: {
      oneOf: [
        {
          type: 'object',
          required: ['kind', 'side'],
          properties: { kind: { const: 'square' }, side: { type: 'number' } },
        },
        {
          type: 'object',
          required: ['kind', 'radius'],
          properties: { kind: { const: 'circle' }, radius: { type: 'number' } },
        },
      ],
    },
  },
} as const

const cases: Record<
  string,
  { text: string; code: string; path: string; message?: RegExp; found?: string; allowed?: RegExp }
> = {
  'a missing field': {
    text: 'size: 8',
    code: 'DOCUMENT_REQUIRED',
    path: 'kind',
    found: 'nothing',
    allowed: /^one of flat, glossy$/,
  },
  'a choice': {
    text: 'kind: glosy',
    code: 'DOCUMENT_VALUE_CHOICE',
    path: 'kind',
    message: /did you mean "glossy"\?/,
    found: '"glosy"',
    allowed: /^flat, glossy$/,
  },
  'a constant': {
    text: 'kind: flat\nversion: shape/2',
    code: 'DOCUMENT_VALUE_CHOICE',
    path: 'version',
    allowed: /shape\/1/,
  },
  'an unknown field': {
    text: 'kind: flat\nlable: x',
    code: 'DOCUMENT_PROPERTY_UNKNOWN',
    path: 'lable',
    message: /did you mean "label"\?/,
  },
  'a strange field': {
    text: 'kind: flat\n"a b": x',
    code: 'DOCUMENT_PROPERTY_UNKNOWN',
    path: '["a b"]',
    message: /not a known field$/,
  },
  'a range': {
    text: 'kind: flat\nsize: 72',
    code: 'DOCUMENT_VALUE_RANGE',
    path: 'size',
    found: '72',
    allowed: /8 to 64/,
  },
  'an open range': {
    text: 'kind: flat\nratio: 1',
    code: 'DOCUMENT_VALUE_RANGE',
    path: 'ratio',
    allowed: /more than 0, less than 1/,
  },
  'a step': { text: 'kind: flat\nsize: 12', code: 'DOCUMENT_VALUE_STEP', path: 'size', allowed: /multiples of 8/ },
  'a fraction': { text: 'kind: flat\ncount: 8.5', code: 'DOCUMENT_TYPE', path: 'count', message: /a whole number/ },
  'a number in quotes': {
    text: 'kind: flat\nsize: "16"',
    code: 'DOCUMENT_TYPE',
    path: 'size',
    message: /write 16 without quotes/,
    found: '"16"',
  },
  'a number of YAML 1.1': {
    text: 'kind: flat\nsize: 1_6',
    code: 'DOCUMENT_TYPE',
    path: 'size',
    message: /write 16 without/,
  },
  'a number with e in quotes': {
    text: 'kind: flat\nratio: "1e-4"',
    code: 'DOCUMENT_TYPE',
    path: 'ratio',
    message: /write 0.0001/,
  },
  'a percentage': { text: 'kind: flat\nratio: 50%', code: 'DOCUMENT_TYPE', path: 'ratio', message: /write 0.5 / },
  'a truth value of YAML 1.1': {
    text: 'kind: flat\nisOpen: yes',
    code: 'DOCUMENT_TYPE',
    path: 'isOpen',
    message: /write true$/,
  },
  'a false value of YAML 1.1': {
    text: 'kind: flat\nisOpen: Off',
    code: 'DOCUMENT_TYPE',
    path: 'isOpen',
    message: /write false$/,
  },
  'a text without quotes': {
    text: 'kind: flat\nlabel: 1.50',
    code: 'DOCUMENT_TYPE',
    path: 'label',
    message: /write "1.50" in quotes/,
    found: '1.50',
  },
  'an empty field': {
    text: 'kind: flat\nlabel:',
    code: 'DOCUMENT_TYPE',
    path: 'label',
    message: /there is nothing/,
    found: 'null',
  },
  'a long text': {
    text: 'kind: flat\nlabel: abcdef',
    code: 'DOCUMENT_LENGTH',
    path: 'label',
    allowed: /^2 to 4 characters$/,
  },
  'an empty list': {
    text: 'kind: flat\nlist: []',
    code: 'DOCUMENT_LENGTH',
    path: 'list',
    message: /must not be empty/,
    allowed: /1 to 2 items/,
  },
  'a list that is none': {
    text: 'kind: flat\nlist: 1',
    code: 'DOCUMENT_TYPE',
    path: 'list',
    message: /put it in \[ \]/,
    allowed: /a list of a number, 1 to 2 items/,
  },
  'a pattern': {
    text: 'kind: flat\ncode: ABC',
    code: 'DOCUMENT_PATTERN',
    path: 'code',
    allowed: /^small letters, e\.g\. "ab"$/,
  },
  'a pattern without words': {
    text: 'kind: flat\nbare: ABC',
    code: 'DOCUMENT_PATTERN',
    path: 'bare',
    allowed: /^[^^$]+$/,
  },
  'a number where a pattern is wanted': {
    text: 'kind: flat\ncode: 12',
    code: 'DOCUMENT_TYPE',
    path: 'code',
    message: /write small letters in quotes, e\.g\. "ab"$/,
  },
  'a comment where text was meant': {
    text: 'kind: flat\nlabel: #abc # and more',
    code: 'DOCUMENT_TYPE',
    path: 'label',
    message: /# begins a comment, so put it in quotes: write "#abc/,
  },
  'a choice of types': {
    text: 'kind: flat\nchoice: x',
    code: 'DOCUMENT_TYPE',
    path: 'choice',
    allowed: /^a number, at least 0, or a list of a number$/,
  },
  'one of a choice of types': { text: 'kind: flat\nchoice: [1, x]', code: 'DOCUMENT_TYPE', path: 'choice[1]' },
  'the range of a choice of types': { text: 'kind: flat\nchoice: -1', code: 'DOCUMENT_VALUE_RANGE', path: 'choice' },
  'a kind of object': { text: 'kind: flat\npart: {kind: circle}', code: 'DOCUMENT_REQUIRED', path: 'part.radius' },
  'a whole of the wrong kind': { text: '[1, 2]', code: 'DOCUMENT_TYPE', path: '', found: 'a list of 2 items' },
  'a long value': {
    text: `kind: ${'x'.repeat(200)}`,
    code: 'DOCUMENT_VALUE_CHOICE',
    path: 'kind',
    found: `"${'x'.repeat(58)}…`,
  },
}
for (const [title, { text, code, path, message = /./, found, allowed }] of Object.entries(cases))
  t.test(`validateDocument tells of ${title}`, async t => {
    const [problem, ...others] = check(shapes, text)
    t.strictSame(others, [])
    t.equal(problem?.code, code)
    t.equal(problem?.path ?? '', path)
    t.match(problem?.message, message)
    if (found !== undefined) t.equal(problem?.found, found)
    if (allowed !== undefined) t.match(problem?.allowed, allowed)
  })

t.test('validateDocument fills in defaults and gives the value', async t => {
  const schema = { type: 'object', properties: { count: { type: 'integer', default: 1 } } } as const
  const { value, problems } = validateDocument(schema, parseDocument('{}', { file: 'a', format: 'json' }))
  t.strictSame(value, { count: 1 })
  t.strictSame(problems, [])
})

t.test('validateDocument gives a value with warnings and none with errors', async t => {
  const schema = { type: 'object' } as const
  const read = (text: string) => validateDocument(schema, parseDocument(text, { file: 'a', format: 'yaml' }))
  t.strictSame(read('a: 01').value, { a: 1 })
  t.equal(read('a: 01').problems.length, 1)
  t.equal(read('a: 1\na: 2').value, undefined)
  t.equal(read('a: [').value, undefined)
})

t.test('validateDocument names the field that was meant by a missing one', async t => {
  const [problem] = check(personaKitSchema, 'dotId: a\nversion: 1.0.0')
  t.equal(problem?.path, 'dot_id')
  t.equal(problem?.found, '"dotId" instead')
})

t.test('validateDocument lists 200 mistakes and counts the others', async t => {
  const problems = check({ type: 'array', items: { type: 'string' } }, JSON.stringify(Array(5000).fill(1)), 'json')
  t.equal(problems.length, 201)
  t.match(problems.at(-1), { code: 'DOCUMENT_PROBLEMS_MORE', message: /^4800 more/ })
})

t.test('a version and a colour of a kit are answered with what to type', async t => {
  const kit = (more: string) => check(personaKitSchema, `dot_id: a\n${more}`)
  t.match(kit('version: 1.0'), [{ line: 2, column: 10, message: /: write three numbers in quotes, e\.g\. "1\.0\.0"$/ }])
  t.match(kit('version: "1.0"'), [{ allowed: 'three numbers, e.g. "1.0.0"' }])
  const [colour] = kit('version: 1.0.0\npalette:\n  primary: #1F6F78\n')
  t.match(colour, { line: 4, path: 'palette.primary', message: /: write "#1F6F78"$/ })
  t.match(kit('version: 1.0.0\npalette: {primary: teal}'), [{ allowed: /six digits.*"#1F6F78"/ }])
})

t.test('validateDocument can keep every value to itself', async t => {
  const secret = 'jane.doe'
  const texts = [
    JSON.stringify([
      { call_id: `${secret}@example.com`, speaker: secret.length, persona_path: [secret], source_audio_paths: secret },
    ]),
    `[{"call_id": ${secret}, "${secret} x": 1, "${secret} x": 2}]`,
    `[{"call_id": "${secret}\\q`,
  ]
  for (const text of texts) {
    const document = parseDocument(text, { file: 'a', format: 'json' })
    const { problems } = validateDocument(personaManifestSchema, document, { values: 'hidden' })
    t.ok(problems.length > 0)
    t.notMatch(JSON.stringify(problems), secret)
  }
})

t.test('validateValue checks a value of no file', async t => {
  const schema = { $id: 'probe/1', type: 'object', required: ['a'], properties: { a: { type: 'string' } } } as const
  t.strictSame(validateValue(schema, { a: 'x' }), { value: { a: 'x' }, problems: [] })
  t.match(validateValue(schema, {}).problems, [{ code: 'DOCUMENT_REQUIRED', path: 'a' }])
  t.match(validateValue({ ...schema }, undefined).problems, [{ code: 'DOCUMENT_EMPTY' }])
})
