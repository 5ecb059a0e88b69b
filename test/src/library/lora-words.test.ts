import t from 'tap'
import { readTrainingWords } from '../../../src/library/lora-words.js'

const frequency = (value: unknown) => ({ ss_tag_frequency: typeof value === 'string' ? value : JSON.stringify(value) })

t.test('readTrainingWords reads phrase, licence, date and the most frequent tags', async t => {
  const words = readTrainingWords({
    'modelspec.trigger_phrase': ' ink\nwash ',
    'modelspec.license': 'CC-BY-4.0',
    ss_training_finished_at: '1700000000.5',
    ...frequency({ a: { one: 3, two: 5 }, b: { one: 4, six: 1, three: 2, four: 2, five: 2 } }),
  })
  t.same(words, {
    trigger: 'ink wash',
    license: 'CC-BY-4.0',
    trainedAt: '2023-11-14T22:13:20.500Z',
    tags: ['one', 'two', 'five', 'four', 'three'],
  })
  t.match(readTrainingWords({ 'modelspec.date': '2025-08-20T14:03:11Z' }), { trainedAt: '2025-08-20T14:03:11.000Z' })
})

const odd: Record<string, Record<string, string>> = {
  nothing: {},
  'missing values': { 'modelspec.trigger_phrase': 'None', 'modelspec.license': '  ', ss_training_finished_at: 'None' },
  'a phrase without an end': { 'modelspec.trigger_phrase': 'x'.repeat(201) },
  'tags that are no JSON': frequency('{"a": {'),
  'tags that nest without an end': frequency('{"a":'.repeat(200_000)),
  'tags that are a list': frequency([['one', 1]]),
  'folders that hold no tags': frequency({ a: 1, b: null, c: ['one'] }),
  'counts that are none': frequency({ a: { one: '3', two: -1, three: null, four: 0 } }),
  'tags that are empty or long': frequency({ a: { ' ': 3, ['x'.repeat(81)]: 5 } }),
  'more than is read': frequency(`{"a":{"one":1${' '.repeat(8 * 1024 * 1024)}}}`),
  'a date that is none': { 'modelspec.date': 'yesterday', ss_training_finished_at: '1e300' },
}
for (const [title, metadata] of Object.entries(odd))
  t.test(`readTrainingWords leaves out ${title}`, async t => t.same(readTrainingWords(metadata), { tags: [] }))

t.test('readTrainingWords takes tags for what they are', async t => {
  const { tags } = readTrainingWords(frequency('{"__proto__": {"constructor": 2, "a\\u0000\\u202eb": 1}}'))
  t.same(tags, ['constructor', 'a b'])
})
