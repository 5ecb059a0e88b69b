import t from 'tap'
import { mergeStyles } from '../../../src/mixing/merge-styles.js'
import { slider } from './samples.js'

t.test('mergeStyles of nothing is an empty style', async t =>
  t.strictSame(mergeStyles([]), {
    style: { name: 'none', sliders: {}, finish: {}, tone: {}, palette: {}, words: [], negative: [] },
    problems: [],
  }),
)

t.test('mergeStyles puts all tables into one, in the given order', async t => {
  const { style, problems } = mergeStyles([
    { plugin: 'styles-anime', style: { name: 'anime', sliders: { mecha: slider('Mecha', 'Creature') }, words: ['a'] } },
    {
      plugin: 'styles-noir',
      style: { name: 'noir', sliders: { age: slider('Young', 'Old') }, words: ['b'], negative: ['colour'] },
    },
  ])
  t.strictSame(problems, [])
  t.equal(style.name, 'anime+noir')
  t.strictSame(Object.keys(style.sliders ?? {}), ['mecha', 'age'])
  t.strictSame(style.words, ['a', 'b'])
  t.strictSame(style.negative, ['colour'])
})

t.test('mergeStyles names both plugins of a conflict and keeps the first', async t => {
  const first = slider('Mecha', 'Creature')
  const { style, problems } = mergeStyles([
    { plugin: 'styles-anime', style: { name: 'anime', sliders: { mecha: first }, finish: { flat: ['flat'] } } },
    {
      plugin: 'styles-noir',
      style: { name: 'noir', sliders: { mecha: slider('Machine', 'Beast') }, finish: { flat: ['even'], ink: ['ink'] } },
    },
  ])
  t.strictSame(style.sliders, { mecha: first })
  t.strictSame(style.finish, { flat: ['flat'], ink: ['ink'] })
  t.match(problems, [
    { severity: 'error', code: 'STYLE_CONFLICT', path: 'sliders.mecha', message: /styles-anime and styles-noir/ },
    { severity: 'warning', code: 'STYLE_CONFLICT', path: 'finish.flat' },
  ])
  t.equal(problems.length, 2)
})

t.test('mergeStyles accepts the same definition twice', async t => {
  const style = { name: 'anime', sliders: { mecha: slider('Mecha', 'Creature') }, palette: { accent: '{colour} trim' } }
  const merged = mergeStyles([
    { plugin: 'one', style },
    { plugin: 'two', style: structuredClone(style) },
  ])
  t.strictSame(merged.problems, [])
  t.strictSame(merged.style.palette, { accent: '{colour} trim' })
})
