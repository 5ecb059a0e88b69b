import fc from 'fast-check'
import t from 'tap'
import { arrangeWords, estimateTokens, tokensPerChunk } from '../../../src/mixing/arrange-words.js'
import { type RankedFragment, wordRanks } from '../../../src/mixing/rank-words.js'

/** A fragment of so many words, without inner commas: 1.3 tokens per word and one for its comma. */
function fragment(rank: RankedFragment['rank'], words: number, name: string = rank): RankedFragment {
  return { rank, source: name, text: Array.from({ length: words }, () => 'word').join(' ') }
}

function order(fragments: RankedFragment[]): string[] {
  return arrangeWords(fragments, 'positive').fragments.map(({ source }) => source)
}

const estimates = [
  ['one', 2.3],
  ['one two, three', 5.9],
  ['(one two:1.2)', 3.6],
  ['(red:-0.5)', 2.3],
] as const
for (const [text, tokens] of estimates)
  t.test(`estimateTokens of ${text}`, async t => t.equal(estimateTokens(text).toFixed(1), tokens.toFixed(1)))

t.test('arrangeWords leaves a short prompt as it is', async t => {
  const fragments = [fragment('prompt', 5), fragment('identity', 2), fragment('subject', 20), fragment('style', 5)]
  t.strictSame(arrangeWords(fragments, 'positive'), { fragments, leftOut: [], problems: [] })
  t.strictSame(arrangeWords([], 'negative'), { fragments: [], leftOut: [], problems: [] })
})

t.test('arrangeWords opens with identity and framing where the user says more than a chunk', async t => {
  t.strictSame(
    order([fragment('prompt', 60), fragment('identity', 2), fragment('framing', 6), fragment('subject', 3)]),
    ['identity', 'framing', 'prompt', 'subject'],
  )
})

t.test('arrangeWords lets a less important fragment be cut instead of the description', async t => {
  const opening = fragment('framing', 30)
  const description = fragment('subject', 40)
  t.strictSame(order([opening, description, fragment('palette', 5), fragment('style', 30)]), [
    'framing',
    'style',
    'subject',
    'palette',
  ])
  t.strictSame(order([opening, description, fragment('palette', 14), fragment('tone', 14)]), [
    'framing',
    'palette',
    'tone',
    'subject',
  ])
})

t.test('arrangeWords changes nothing where the less important do not reach the boundary', async t =>
  t.strictSame(order([fragment('framing', 30), fragment('subject', 40), fragment('style', 5)]), [
    'framing',
    'subject',
    'style',
  ]),
)

t.test('arrangeWords leaves the order behind a text of unknown length alone', async t => {
  const unknown: RankedFragment = { rank: 'subject', source: 'transcript', text: '', private: true }
  t.strictSame(order([fragment('framing', 30), unknown, fragment('subject', 40), fragment('style', 20)]), [
    'framing',
    'transcript',
    'subject',
    'style',
  ])
})

t.test('arrangeWords leaves out the least important beyond three chunks and names it', async t => {
  const fragments = [
    fragment('subject', 100),
    fragment('slider', 40),
    fragment('palette', 20),
    fragment('style', 20, 'style one'),
    fragment('style', 20, 'style two'),
  ]
  const { fragments: kept, problems } = arrangeWords(fragments, 'positive')
  t.notOk(kept.some(({ rank }) => rank === 'style'))
  t.match(problems, [
    { severity: 'warning', code: 'PROMPT_TOO_LONG', path: 'positive', message: /words of style one, style two$/ },
  ])
  t.equal(kept.length, 3)
})

t.test('arrangeWords never shortens what the user or the persona says', async t => {
  const { fragments, problems } = arrangeWords([fragment('prompt', 150), fragment('subject', 150)], 'positive')
  t.equal(fragments.length, 2)
  t.match(problems, [{ code: 'PROMPT_TOO_LONG', message: /little effect/, found: 'about 392 tokens' }])
})

t.test('arrangeWords counts absent private text as long', async t => {
  const unknown: RankedFragment = { rank: 'subject', source: 'transcript', text: '', private: true }
  t.equal(arrangeWords([unknown, fragment('framing', 90), fragment('style', 10)], 'positive').problems.length, 1)
  t.equal(arrangeWords([fragment('framing', 90), fragment('style', 10)], 'positive').problems.length, 0)
})

t.test('arrangeWords keeps every fragment once, and cuts an important one only for want of others', async t => {
  const some = fc.array(fc.record({ rank: fc.constantFrom(...wordRanks), words: fc.integer({ min: 1, max: 70 }) }), {
    maxLength: 14,
  })
  fc.assert(
    fc.property(some, each => {
      const sorted = each.toSorted((a, b) => wordRanks.indexOf(a.rank) - wordRanks.indexOf(b.rank))
      const fragments = sorted.map(({ rank, words }, i) => fragment(rank, words, `${rank} ${i}`))
      const { fragments: arranged, problems } = arrangeWords(fragments, 'positive')
      const isKnown = arranged.every(one => fragments.includes(one)) && new Set(arranged).size === arranged.length
      const isComplete = arranged.length === fragments.length || problems.length === 1
      return (
        isKnown &&
        isComplete &&
        arranged.every((one, i) => isRightlyPlaced(one, arranged.slice(0, i), arranged.slice(i + 1)))
      )
    }),
    { seed: 20260102, verbose: true },
  )
  t.pass('seed 20260102')
})

function isRightlyPlaced(one: RankedFragment, before: RankedFragment[], after: RankedFragment[]): boolean {
  const lengthOf = (fragments: RankedFragment[]) => fragments.reduce((sum, { text }) => sum + estimateTokens(text), 0)
  const isMinor = ({ rank }: RankedFragment) => wordRanks.indexOf(rank) > wordRanks.indexOf('slider')
  const room = tokensPerChunk - (lengthOf(before) % tokensPerChunk)
  const isCut = estimateTokens(one.text) > room && estimateTokens(one.text) <= tokensPerChunk
  return isMinor(one) || !isCut || lengthOf(after.filter(isMinor)) < room
}
