import t from 'tap'
import {
  cleanDescription,
  cleanWords,
  dropRepeats,
  fillPrivate,
  joinWords,
  splitPhrases,
} from '../../../src/mixing/clean-words.js'

t.test('joinWords puts commas between texts and leaves no gap for absent ones', async t => {
  const fragments = [
    { text: 'a', source: 'x' },
    { text: '', source: 'y', private: true },
    { text: 'b, c', source: 'z' },
  ]
  t.equal(joinWords(fragments), 'a, b, c')
  t.equal(joinWords([]), '')
})

t.test('fillPrivate fills private fragments by source and no others', async t => {
  const fragments = [
    { text: 'open', source: 'transcript' },
    { text: '', source: 'transcript', private: true },
    { text: '', source: 'persona', private: true },
    { text: '', source: 'toString', private: true },
  ]
  t.strictSame(fillPrivate(fragments, { transcript: ' a  room (dark)\n' }), [
    fragments[0],
    { text: 'a room \\(dark\\)', source: 'transcript', private: true },
    fragments[2],
    fragments[3],
  ])
})

const cleaned = [
  ['  a\n\tb \u0000 c.', 'a b c'],
  [', a, b;', 'a, b'],
  ['…', '…'],
  [' ,;. ', ''],
] as const
for (const [text, words] of cleaned)
  t.test(`cleanWords makes ${JSON.stringify(text)} one line`, async t => t.equal(cleanWords(text), words))

t.test('cleanDescription escapes parentheses once', async t => {
  t.equal(cleanDescription('series (2019)'), 'series \\(2019\\)')
  t.equal(cleanDescription('series \\(2019\\)'), 'series \\(2019\\)')
})

const split = [
  ['a, b,, c', ['a', 'b', 'c']],
  ['(a, b:1.2), c', ['(a, b:1.2)', 'c']],
  ['\\(a, b\\), c', ['\\(a', 'b\\)', 'c']],
  ['a), b', ['a)', 'b']],
  ['((a, b), c:1.1)', ['((a, b), c:1.1)']],
  ['', []],
] as const
for (const [text, phrases] of split)
  t.test(`splitPhrases of ${JSON.stringify(text)}`, async t => t.strictSame(splitPhrases(text), phrases))

t.test('dropRepeats keeps the first of each phrase and leaves private text whole', async t => {
  const fragments = [
    { text: 'Portrait, red hair', source: 'a' },
    { text: 'portrait, portrait', source: 'b', private: true },
    { text: 'RED HAIR', source: 'c' },
    { text: 'blue, portrait, Blue', source: 'd' },
  ]
  t.strictSame(dropRepeats(fragments), {
    fragments: [fragments[0], fragments[1], { text: 'blue', source: 'd' }],
    dropped: [
      { text: 'RED HAIR', source: 'c', reason: 'said already by a' },
      { text: 'portrait', source: 'd', reason: 'said already by a' },
      { text: 'Blue', source: 'd', reason: 'said already by d' },
    ],
  })
})
