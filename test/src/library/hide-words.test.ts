import t from 'tap'
import { hideWords } from '../../../src/library/hide-words.js'

const text = 'a keeper who said "never again", by the old harbour'

t.test('hideWords takes a text out of a message, whole or in part, and leaves the rest', async t => {
  t.equal(hideWords(`Refused: ${text}.`, [text]), 'Refused: [input].')
  t.equal(hideWords('Refused near "by the old harb…"', [text]), 'Refused near "[input]…"')
  t.equal(hideWords(`{"input":${JSON.stringify(text)}}`, [text]), '{"input":"[input]\\[input]\\[input]"}')
  t.equal(hideWords('CUDA out of memory', [text, '', 'CUDA']), 'CUDA out of memory')
})

t.test('hideWords is done with long messages and texts', async t => {
  t.equal(hideWords('ab'.repeat(50_000), ['ab'.repeat(5000)]), '[input]')
  t.equal(hideWords('x'.repeat(50_000), ['y'.repeat(5000)]).length, 4000)
})
