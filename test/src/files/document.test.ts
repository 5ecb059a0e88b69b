import t from 'tap'
import type { DocumentFormat } from '../../../src/files/document-contract.js'
import { parseDocument } from '../../../src/files/document.js'

const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

/** Problems as `line:column code path`. */
function read(text: string | Uint8Array, format: DocumentFormat) {
  const { value, problems } = parseDocument(text, { file: 'a', format })
  return { value, problems: problems.map(p => `${p.line ?? 0}:${p.column ?? 0} ${p.code} ${p.path ?? ''}`.trim()) }
}

const good: Record<string, { format: DocumentFormat; text: string | Uint8Array; value: unknown }> = {
  'JSON of every kind': {
    format: 'json',
    text: '{"a": [1, -2.5e3, "x\\n\\u00e9", true, false, null], "b": {}}',
    value: { a: [1, -2500, 'x\né', true, false, null], b: {} },
  },
  'JSON with BOM and CRLF': { format: 'json', text: '\uFEFF{\r\n"a": 1\r\n}\r\n', value: { a: 1 } },
  'JSON bytes': { format: 'json', text: Buffer.from('["é"]'), value: ['é'] },
  'JSON with names of Object.prototype': {
    format: 'json',
    text: '{"constructor": 1, "toString": 2}',
    value: { constructor: 1, toString: 2 },
  },
  'JSON 64 levels deep': { format: 'json', text: nest(64), value: JSON.parse(nest(64)) },
  'YAML with a closing line': { format: 'yaml', text: 'a: 1\n...\n', value: { a: 1 } },
  'YAML with BOM and CRLF': { format: 'yaml', text: '\uFEFFa: 1\r\nb: x\r\n', value: { a: 1, b: 'x' } },
  'YAML 1.2 scalars': {
    format: 'yaml',
    text: 'a: 1e-4\nb: yes\nc: 0o17\nd: 12:30:45\ne: 2026-01-14\nf: 1_000\ng: ~\nh: "1e-4"',
    value: { a: 1e-4, b: 'yes', c: 15, d: '12:30:45', e: '2026-01-14', f: '1_000', g: null, h: '1e-4' },
  },
  'YAML that says 1.1 in 1.2': { format: 'yaml', text: '%YAML 1.1\n---\na: yes', value: { a: 'yes' } },
  'YAML aliases': { format: 'yaml', text: 'a: &x [1, 2]\nb: *x', value: { a: [1, 2], b: [1, 2] } },
  'YAML names of Object.prototype': { format: 'yaml', text: 'constructor: 1', value: { constructor: 1 } },
  'YAML pairs in a list': { format: 'yaml', text: '[a: 1]', value: [{ a: 1 }] },
}
for (const [title, { format, text, value }] of Object.entries(good))
  t.test(`parseDocument reads ${title}`, async t => t.strictSame(read(text, format), { value, problems: [] }))

const syntax = 'DOCUMENT_SYNTAX'
/** A value only where the mistake leaves no doubt. */
const bad: Record<string, { format: DocumentFormat; text: string | Uint8Array; problems: string[]; value?: unknown }> =
  {
    nothing: { format: 'json', text: '', problems: ['1:1 DOCUMENT_EMPTY'] },
    blanks: { format: 'json', text: ' \n', problems: ['1:1 DOCUMENT_EMPTY'] },
    'a comma too many': { format: 'json', text: '{"a": 1,\n}', problems: [`2:1 ${syntax}`], value: { a: 1 } },
    comments: { format: 'json', text: '// x\n[1] /* y */', problems: [`1:1 ${syntax}`, `2:5 ${syntax}`], value: [1] },
    'single quotes': {
      format: 'json',
      text: "{'a': 'b'}",
      problems: [`1:2 ${syntax}`, `1:7 ${syntax} a`],
      value: { a: 'b' },
    },
    'bare names': { format: 'json', text: '{a: 1}', problems: [`1:2 ${syntax}`], value: { a: 1 } },
    'a tab in a text': { format: 'json', text: '["a\tb"]', problems: [`1:4 ${syntax} [0]`], value: ['a\tb'] },
    'NaN and None': {
      format: 'json',
      text: '{"a": NaN, "b": None}',
      problems: [`1:7 ${syntax} a`, `1:17 ${syntax} b`],
    },
    'a missing comma': { format: 'json', text: '{"a": 1 "b": 2}', problems: [`1:8 ${syntax}`] },
    'a missing value': { format: 'json', text: '{"a": }', problems: [`1:2 ${syntax} a`] },
    'a missing colon': { format: 'json', text: '{"a" 1}', problems: [`1:6 ${syntax} a`] },
    'numbers that are none': {
      format: 'json',
      text: '[01, +1, .5, 1., 0x1F, 1e999]',
      problems: [2, 6, 10, 14, 18, 24].map((column, index) => `1:${column} ${syntax} [${index}]`),
    },
    'an unknown escape': { format: 'json', text: '["C:\\dir"]', problems: [`1:5 ${syntax} [0]`] },
    'a text over two lines': { format: 'json', text: '{"a": "x\n, "b": 1}', problems: [`1:7 ${syntax} a`] },
    'half a character': { format: 'json', text: '["\\ud800"]', problems: ['1:2 DOCUMENT_ENCODING [0]'] },
    'a cut object': { format: 'json', text: '{"a": 1, "b"', problems: ['1:1 DOCUMENT_INCOMPLETE'] },
    'a cut text': { format: 'json', text: '{"a": "x', problems: ['1:7 DOCUMENT_INCOMPLETE a'] },
    'a wrong bracket': { format: 'json', text: '{"a": [1}}', problems: [`1:9 ${syntax} a`] },
    'text behind the end': { format: 'json', text: '{} {}', problems: [`1:4 ${syntax}`] },
    'the same name twice': {
      format: 'json',
      text: '{"a": 1, "x": [{"b": 1,\n "b": 2}], "a": 3}',
      problems: ['2:2 DOCUMENT_KEY_DUPLICATE x[0].b', '2:12 DOCUMENT_KEY_DUPLICATE a'],
      value: { a: 3, x: [{ b: 2 }] },
    },
    'a reserved name': { format: 'json', text: '{"__proto__": 1}', problems: ['1:2 DOCUMENT_KEY_RESERVED __proto__'] },
    '65 levels': { format: 'json', text: nest(65), problems: [`1:65 DOCUMENT_TOO_DEEP ${'[0]'.repeat(53)}…`] },
    'a million brackets': {
      format: 'json',
      text: '['.repeat(1e6),
      problems: [`1:65 DOCUMENT_TOO_DEEP ${'[0]'.repeat(53)}…`],
    },
    'nine MiB': { format: 'json', text: ' '.repeat(9 * 2 ** 20), problems: ['0:0 DOCUMENT_TOO_LARGE'] },
    'a zero character': { format: 'json', text: '["a\0"]', problems: ['0:0 DOCUMENT_ENCODING'] },
    'bytes that are not UTF-8': {
      format: 'json',
      text: Buffer.from([0x5b, 0x22, 0xe4, 0x22, 0x5d]),
      problems: ['0:0 DOCUMENT_ENCODING'],
    },
    'UTF-16': { format: 'json', text: Buffer.from('\uFEFF{}', 'utf16le'), problems: ['0:0 DOCUMENT_ENCODING'] },
    'YAML without a value': { format: 'yaml', text: '# nothing\n', problems: ['1:1 DOCUMENT_EMPTY'] },
    'YAML names twice': {
      format: 'yaml',
      text: 'a: 1\nb: {c: 1, c: 2}\na: 2',
      problems: ['2:11 DOCUMENT_KEY_DUPLICATE b.c', '3:1 DOCUMENT_KEY_DUPLICATE a'],
      value: { a: 2, b: { c: 2 } },
    },
    'YAML merge keys': {
      format: 'yaml',
      text: 'a: &x {b: 1}\nc:\n  <<: *x',
      problems: ['3:3 DOCUMENT_KEY_RESERVED c'],
    },
    'YAML reserved names': { format: 'yaml', text: '__proto__: 1', problems: ['1:1 DOCUMENT_KEY_RESERVED'] },
    'YAML lists as names': { format: 'yaml', text: '? [a]\n: 1', problems: [`1:3 ${syntax}`] },
    'YAML tags': { format: 'yaml', text: 'a: !python/object x', problems: ['1:4 DOCUMENT_TAG_UNKNOWN'] },
    'YAML infinity': { format: 'yaml', text: 'a: .inf', problems: ['1:4 DOCUMENT_NUMBER_INVALID a'] },
    'YAML leading zeros': {
      format: 'yaml',
      text: 'a: 0123',
      problems: ['1:4 DOCUMENT_NUMBER_AMBIGUOUS a'],
      value: { a: 123 },
    },
    'YAML unknown aliases': { format: 'yaml', text: 'a: *x', problems: [`1:4 ${syntax} a`] },
    'YAML values that hold themselves': { format: 'yaml', text: 'a: &x [*x]', problems: [`1:8 ${syntax} a[0]`] },
    'YAML tabs': { format: 'yaml', text: 'a:\n\tb: 1', problems: [`2:1 ${syntax}`] },
    'YAML open quotes': { format: 'yaml', text: 'a: "x\nb: 1\nc: 2\n', problems: [`1:4 ${syntax}`] },
    'YAML open brackets': { format: 'yaml', text: 'a: [1, 2\nb: 1\n', problems: [`1:4 ${syntax}`] },
    'YAML open brackets at the end': { format: 'yaml', text: 'a: [1, 2', problems: [`1:4 ${syntax}`] },
    'a YAML field indented too little': {
      format: 'yaml',
      text: 'a:\n  b: 1\n c: 2\nd: 3\n',
      problems: [`3:1 ${syntax}`],
    },
    'a YAML field indented too far': {
      format: 'yaml',
      text: 'a:\n  b: 1\n    c: 2\nd: 3\n',
      problems: [`3:5 ${syntax}`],
    },
    'a YAML field under a text': { format: 'yaml', text: 'a: x\n\n  b: y\nc: z\n', problems: [`3:3 ${syntax}`] },
    'a YAML list indented unevenly': {
      format: 'yaml',
      text: 'a:\n  b:\n    - x\n   - y\nc: 1\n',
      problems: [`4:1 ${syntax}`],
    },
    'YAML half characters': { format: 'yaml', text: 'a: "\\ud800"', problems: ['1:4 DOCUMENT_ENCODING a'] },
    'two YAML documents': { format: 'yaml', text: 'a: 1\n---\nb: 2', problems: ['2:1 DOCUMENT_MULTIPLE'] },
    'deep YAML': { format: 'yaml', text: 'a: ' + nest(1000), problems: ['1:68 DOCUMENT_TOO_DEEP'] },
    'deep YAML blocks': {
      format: 'yaml',
      text: Array.from({ length: 100 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
      problems: ['66:66 DOCUMENT_TOO_DEEP'],
    },
    'YAML bombs': {
      format: 'yaml',
      text: Array.from(
        { length: 12 },
        (_, i) =>
          `a${i}: &a${i} [${Array(9)
            .fill(i ? `*a${i - 1}` : 'x')
            .join(', ')}]`,
      ).join('\n'),
      problems: ['6:15 DOCUMENT_ALIAS_BOMB a5[1]'],
    },
    'a thousand anchors': { format: 'yaml', text: '&a '.repeat(1000) + 'x', problems: ['1:1501 DOCUMENT_ALIAS_BOMB'] },
    'endless YAML': { format: 'yaml', text: `[${'1,'.repeat(60_000)}]`, problems: ['1:66667 DOCUMENT_TOO_LARGE'] },
    'a MiB of YAML': { format: 'yaml', text: 'a'.repeat(2 ** 20), problems: ['0:0 DOCUMENT_TOO_LARGE'] },
  }
for (const [title, { format, text, problems, value }] of Object.entries(bad))
  t.test(`parseDocument tells of ${title}`, async t => t.strictSame(read(text, format), { value, problems }))

t.test('sourceOf shows the comment that a YAML colour without quotes became', async t => {
  const document = parseDocument('a: #1F6F78\nb:\nc: "" # x\n', { file: 'a', format: 'yaml' })
  t.strictSame(document.value, { a: null, b: null, c: '' })
  t.equal(document.sourceOf(['a']), '#1F6F78')
  t.equal(document.sourceOf(['b']), '')
  t.equal(document.sourceOf(['c']), '')
})

t.test('parseDocument tells where bad bytes stand', async t => {
  const [problem] = parseDocument(Buffer.from([...Buffer.from('{"é": '), 0xff, 0x7d]), {
    file: 'a',
    format: 'json',
  }).problems
  t.match(problem?.message, /offset 7$/)
})

t.test('parseDocument lists 200 mistakes and says that there are more', async t => {
  for (const format of ['json', 'yaml'] as const) {
    const text = `{${Array.from({ length: 500 }, () => '"a": 1').join(', ')}}`
    const { problems } = parseDocument(text, { file: 'a', format })
    t.equal(problems.length, 201)
    t.equal(problems.at(-1)?.code, 'DOCUMENT_PROBLEMS_MORE')
  }
})

for (const format of ['json', 'yaml'] as const)
  t.test(`locate finds keys and values in ${format}`, async t => {
    const document = parseDocument('{"a": [1,\n {"b c": 2}],\r\n "d": null}', { file: 'a', format })
    t.strictSame(document.locate([]), { line: 1, column: 1 })
    t.strictSame(document.locate(['a', 1, 'b c']), { line: 2, column: 10 })
    t.strictSame(document.locate(['a', 1, 'b c'], 'key'), { line: 2, column: 3 })
    t.strictSame(document.locate(['d'], 'key'), { line: 3, column: 2 })
    t.equal(document.locate(['a', 7]), undefined)
    t.equal(document.locate(['x', 'y']), undefined)
  })

t.test('parseDocument finds many places in a persona manifest of 20,000 entries', async t => {
  const entry = (index: number) => ({
    call_id: `call-${index}`,
    channel: 'left-vocals',
    speaker: 'S00',
    persona_path: `characters/call-${index}/left-vocals/S00/persona.md`,
    source_audio_paths: ['a/b/c.wav'],
  })
  const text = JSON.stringify(
    Array.from({ length: 20_000 }, (_, index) => entry(index)),
    null,
    2,
  )
  const document = parseDocument(text, { file: 'a', format: 'json' })
  const indices = Array.from({ length: 200 }, (_, at) => at * 100)
  const places = document.locateAll(indices.map(index => ({ path: [index, 'speaker'], part: 'value' })))
  const linesEach = JSON.stringify(entry(0), null, 2).split('\n').length
  t.strictSame(
    places.map(place => place?.line),
    indices.map(index => 2 + index * linesEach + 3),
  )
  t.equal((document.value as unknown[]).length, 20_000)
})

t.test('parseDocument agrees with JSON.parse on every cut and every change of a document', async t => {
  const text = '{"a": [1, -2.5e-3, "x\\u00e9\\n", {"b": null}], "c": true, "d": {"e": []}}'
  const changed = [...text].flatMap((_, at) =>
    ['', '"', ',', '}', ']', 'x', '0', '\\', '\n'].map(char => text.slice(0, at) + char + text.slice(at + 1)),
  )
  for (const each of [...changed, ...changed.map((_, at) => text.slice(0, at))]) {
    const { value, problems } = parseDocument(each, { file: 'a', format: 'json' })
    let expected: unknown
    try {
      expected = JSON.parse(each)
    } catch {
      if (!problems.some(p => p.severity === 'error')) t.fail(`no problem with ${each}`)
      continue
    }
    if (problems.every(p => p.code === 'DOCUMENT_KEY_DUPLICATE')) t.strictSame(value, expected, each)
    else t.fail(`problems with ${each}: ${JSON.stringify(problems)}`)
  }
})
