import t from 'tap'
import { canonicalDepthMax, canonicalJson } from '../../../src/files/canonical-json.js'

const canonical: Record<string, { value: unknown; text: string }> = {
  'sorts members by UTF-16 code units': {
    value: { b: 1.0, a: [], é: '€', '\ufb33': 'y', '\u{1f600}': 'x', A: {}, 10: 1, 9: 2 },
    text: '{"10":1,"9":2,"A":{},"a":[],"b":1,"é":"€","\u{1f600}":"x","\ufb33":"y"}',
  },
  'writes the shortest form of numbers': {
    value: [0.000001, 1e-7, -0, 0.1 + 0.2, 9007199254740991, -1.5, 4.5e-300],
    text: '[0.000001,1e-7,0,0.30000000000000004,9007199254740991,-1.5,4.5e-300]',
  },
  'escapes what must be escaped and nothing else': {
    value: '"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028é\u{1f600}',
    text: '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u007f\u2028é\u{1f600}"',
  },
  'takes null, booleans and objects without a prototype': {
    value: Object.assign(Object.create(null), { z: null, y: true, x: [false, { w: '' }] }),
    text: '{"x":[false,{"w":""}],"y":true,"z":null}',
  },
  'keeps a member named __proto__': { value: JSON.parse('{"__proto__":1}'), text: '{"__proto__":1}' },
  'sorts inside of arrays': { value: [{ b: 1, a: { d: 2, c: 3 } }], text: '[{"a":{"c":3,"d":2},"b":1}]' },
}
for (const [title, { value, text }] of Object.entries(canonical))
  t.test(`canonicalJson ${title}`, async t => {
    t.equal(canonicalJson(value), text)
    t.same(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)))
  })

const cycle: Record<string, unknown> = {}
cycle['self'] = cycle
const refused: Record<string, { value: unknown; reason: RegExp }> = {
  'an undefined member': { value: { a: { b: undefined } }, reason: /^a\.b is of type undefined/ },
  'undefined in an array': { value: [1, undefined], reason: /^1 is of type undefined/ },
  'a hole in an array': { value: new Array(1), reason: /^0 is of type undefined/ },
  'nothing at all': { value: undefined, reason: /^the whole value is of type undefined/ },
  'a function': { value: { f() {} }, reason: /^f is of type function/ },
  'a bigint': { value: { n: 1n }, reason: /^n is of type bigint/ },
  NaN: { value: { n: NaN }, reason: /^n is NaN/ },
  infinity: { value: [[-Infinity]], reason: /^0\.0 is -Infinity/ },
  'a date': { value: { at: new Date(0) }, reason: /^at is not a plain object/ },
  'a map': { value: new Map(), reason: /not a plain object/ },
  'a lone surrogate': { value: { s: 'a\ud800b' }, reason: /^s holds a lone surrogate/ },
  'a lone surrogate in a key': { value: { 'x\udc00': 1 }, reason: /holds a lone surrogate/ },
  'an integer that has lost digits': { value: { seed: 2 ** 64 - 1 }, reason: /^seed is 18446744073709552000/ },
  'the integers 1e20 and 1e21': { value: [1e20, 1e21], reason: /^0 is 100000000000000000000/ },
  'a cycle': { value: cycle, reason: /nested deeper than 256/ },
}
for (const [title, { value, reason }] of Object.entries(refused))
  t.test(`canonicalJson refuses ${title}`, async t => {
    t.throws(() => canonicalJson(value), { code: 'JSON_NOT_CANONICAL', details: { reason } })
  })

t.test('canonicalJson goes exactly as deep as it says', async t => {
  const nest = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown
  t.equal(canonicalJson(nest(canonicalDepthMax)).length, 2 * canonicalDepthMax)
  t.throws(() => canonicalJson(nest(canonicalDepthMax + 1)), { code: 'JSON_NOT_CANONICAL' })
})
