import t from 'tap'
import { cleanText, elideText, textPath, textWidth, wrapText } from '../../../src/record/draw-text.js'

const style = { size: 16 }

t.test('textPath draws letters as closed outlines at their place', async t => {
  const path = textPath('Hi', style, { x: 10, y: 20 })
  t.match(path, /^M[\d. -]+[MLQZ\d. -]+Z$/)
  const ys = [...path.matchAll(/[ML]-?[\d.]+ (-?[\d.]+)/g)].map(match => Number(match[1]))
  t.equal(Math.max(...ys), 20, 'the letters stand on the baseline')
  t.ok(Math.abs(Math.min(...ys) - (20 - 0.727 * 16)) < 0.2, 'capitals are 0.73 em high')
})

t.test('textPath knows accents, Greek and Cyrillic, and both weights', async t => {
  for (const text of ['Ångström', 'Ελένη', 'Дмитрий', 'Łódź', '“quotes” – 0.80 × 2 · …']) {
    const regular = textPath(text, style, { x: 0, y: 0 })
    t.ok(regular.length > 100, text)
    t.not(textPath(text, { ...style, weight: 'semibold' }, { x: 0, y: 0 }), regular)
  }
  t.not(textPath('é', style, { x: 0, y: 0 }), textPath('e', style, { x: 0, y: 0 }), 'an accent is a part of its glyph')
})

t.test('textPath puts a box for each letter that the font lacks', async t => {
  const box = textPath('□', style, { x: 0, y: 0 })
  t.equal(textPath('漢', style, { x: 0, y: 0 }), box)
  t.equal(textPath('🦊', style, { x: 0, y: 0 }), box)
  t.equal(textPath('ạ̈', style, { x: 0, y: 0 }).length > 0, true, 'stacked accents do not fail')
})

t.test('textPath anchors at start, middle and end', async t => {
  const width = textWidth('Anchor', style)
  const start = textPath('Anchor', style, { x: 0, y: 0 })
  t.equal(textPath('Anchor', style, { x: width, y: 0, anchor: 'end' }), start)
  t.equal(textPath('Anchor', style, { x: width / 2, y: 0, anchor: 'middle' }), start)
})

t.test('textWidth grows with size and tracking', async t => {
  t.equal(textWidth('', style), 0)
  t.ok(Math.abs(textWidth('wide', { size: 32 }) - 2 * textWidth('wide', style)) < 1e-9)
  t.ok(Math.abs(textWidth('wide', { size: 16, tracking: 0.1 }) - textWidth('wide', style) - 3 * 1.6) < 1e-9)
})

t.test('elideText keeps what fits and says what it cut', async t => {
  const long = 'a calm engineer in a teal flight jacket'
  t.equal(elideText(long, style, 10_000), long)
  const cut = elideText(long, style, 120)
  t.match(cut, /^a calm .*…$/)
  t.ok(textWidth(cut, style) <= 120)
  t.equal(elideText(long, style, 1), '')
})

t.test('wrapText keeps every line within its width and elides the last', async t => {
  const text = 'one two three four five six seven eight nine ten Donaudampfschifffahrtsgesellschaft eleven'
  for (const width of [60, 90, 200]) {
    for (const linesMax of [1, 2, 4]) {
      const lines = wrapText(text, style, { width, linesMax })
      t.ok(lines.length <= linesMax)
      t.ok(
        lines.every(line => textWidth(line, style) <= width),
        `${width} × ${linesMax}: ${lines.join(' | ')}`,
      )
    }
  }
  t.same(wrapText('short', style, { width: 200, linesMax: 3 }), ['short'])
  t.same(wrapText('', style, { width: 200, linesMax: 3 }), [])
})

t.test('cleanText makes one bounded line of anything', async t => {
  t.equal(cleanText('a\u0000b\r\n\tc\u202ed\u200be'), 'a b c d e')
  t.equal(cleanText('\ud800 lone'), 'lone')
  t.equal(cleanText('x'.repeat(1_000_000)).length, 2000)
  t.equal(cleanText('e\u0301'), 'é')
})
