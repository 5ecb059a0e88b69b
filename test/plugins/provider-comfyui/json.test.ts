import t from 'tap'
import { parseJson } from '../../../plugins/provider-comfyui/json.js'

const cases: Record<string, [string, unknown]> = {
  'plain JSON': ['{"a": [1, "x", null]}', { a: [1, 'x', null] }],
  'numbers that JSON does not have': ['{"v": [NaN, Infinity, -Infinity, 1.5]}', { v: [null, null, null, 1.5] }],
  'words inside of texts, with quotes and breaks': [
    '{"NaN": "a \\" NaN \\\\", "b": NaN, "c": "-Infinity\\n"}',
    { NaN: 'a " NaN \\', b: null, c: '-Infinity\n' },
  ],
  'integers beyond 2^53': ['{"max": 18446744073709551615}', { max: 18446744073709551615 }],
}
for (const [title, [text, value]] of Object.entries(cases)) {
  t.test(`parseJson reads ${title}`, async t => t.same(parseJson(text), value))
}

t.test('parseJson throws at what is no JSON, and bears long texts', async t => {
  t.throws(() => parseJson('<html>'), SyntaxError)
  t.throws(() => parseJson('{"a": NaN'), SyntaxError)
  const long = 'x\\n'.repeat(1_000_000)
  t.same((parseJson(`{"a": NaN, "b": "${long}"}`) as { b: string }).b.length, 2_000_000)
})
