import t from 'tap'
import { type Composite, compositesOf, countComposites } from '../../../src/plan/composites.js'
import { checkSheet, planComposite, sheetPicturesMax } from '../../../src/plan/plan-composite.js'
import { indexSlots, slotAt } from '../../../src/plan/slots.js'
import type { PlannedComposite } from '../../../src/schema/composite.js'
import type { Mix, Series } from '../../../src/schema/run.js'
import type { Template } from '../../../src/schema/template.js'
import { template } from '../mixing/samples.js'
import { samplePlan, sampleSeries } from './sample-plan.js'

const layout: PlannedComposite = {
  over: 'views',
  columns: 2,
  tile: 64,
  gap: 8,
  background: '#000000',
  labels: [],
}
const overVariations: PlannedComposite = { ...layout, over: 'variations' }
const views = ['front', 'back']
const variations = [{ mecha: 0 }, { mecha: 1 }]

/** The slots of each composite of a series that stands behind another one. */
function composites(changes: Partial<Series>): [id: string, detail: string, slots: string[]][] {
  const series = sampleSeries(changes)
  const index = indexSlots(samplePlan(sampleSeries({ count: 3 }), series))
  const found: Composite[] = [...compositesOf(index)]
  t.equal(found.length, countComposites(series))
  return found.map(({ id, detail, ordinals }) => [
    id,
    detail,
    ordinals.map(ordinal => slotAt(index, ordinal)?.id.replace('pip/tiny-', '') ?? ''),
  ])
}

const cases: Record<string, [series: Partial<Series>, expected: ReturnType<typeof composites>]> = {
  'none where none is planned': [{ views }, []],
  'all views on one': [{ views, composite: layout }, [['pip/tiny', '', ['front-0001', 'back-0001']]]],
  'one for each variation': [
    { views, variations, composite: layout },
    [
      ['pip/tiny-v001', 'mecha 0', ['front-v001-0001', 'back-v001-0001']],
      ['pip/tiny-v002', 'mecha 1', ['front-v002-0001', 'back-v002-0001']],
    ],
  ],
  'one for each number': [
    { views, count: 2, composite: layout },
    [
      ['pip/tiny-0001', 'no. 1', ['front-0001', 'back-0001']],
      ['pip/tiny-0002', 'no. 2', ['front-0002', 'back-0002']],
    ],
  ],
  'the variations of each view on a sheet': [
    { views, variations, composite: overVariations },
    [
      ['pip/tiny-sheet-front', 'front', ['front-v001-0001', 'front-v002-0001']],
      ['pip/tiny-sheet-back', 'back', ['back-v001-0001', 'back-v002-0001']],
    ],
  ],
  'none of what is skipped': [{ composite: layout, skipped: 'no text' }, []],
}
for (const [title, [series, expected]] of Object.entries(cases))
  t.test(`compositesOf gives ${title}`, async t => {
    if (series.skipped === undefined) t.strictSame(composites(series), expected)
    else t.strictSame([...compositesOf(indexSlots(samplePlan(sampleSeries(series))))], expected)
  })

const mixOf = (...weights: [talent: string, effective: number][]): Mix => ({
  positive: [],
  negative: [],
  sliders: {},
  loras: weights.map(([talent, effective]) => ({
    talent,
    role: talent.includes('identity') ? 'identity' : 'style',
    raw: 1,
    effective,
    source: 's',
    weightsSha256: '',
    sizeBytes: 1,
    hasTextEncoder: true,
    draft: false,
  })),
})

t.test('planComposite takes captions from the titles of views, or their ids', async t => {
  const own: Template = {
    ...template,
    views: [{ id: 'front', title: 'From the front' }, { id: 'back' }],
    composite: { columns: 2, tile: 100, gap: 4, background: '#ffffff', caption: 'title', heading: true },
  }
  const pictures = { subject: 'pip', template: own, variations: [{}], mixes: [], set: {} }
  t.strictSame(planComposite(pictures, {}), {
    over: 'views',
    columns: 2,
    tile: 100,
    gap: 4,
    background: '#ffffff',
    heading: { title: 'pip · Bust', detail: '' },
    labels: [
      { caption: 'From the front', detail: '' },
      { caption: 'back', detail: '' },
    ],
  })
  const bare = { ...own, composite: { ...own.composite, columns: 1, caption: 'none', heading: false } as const }
  const planned = planComposite({ ...pictures, template: { ...own, ...bare } as Template }, {})
  t.equal(planned?.heading, undefined)
  t.ok(planned?.labels.every(({ caption }) => caption === ''))
  t.equal(planComposite({ ...pictures, template }, {}), undefined)
  t.equal(planComposite({ ...pictures, template }, { sheet: true }), undefined, 'nothing is swept')
})

t.test('planComposite puts the last slider of a sheet across, with positions and weights', async t => {
  const set = { noir: [0.2], animal: [0, 1], mecha: [0, 0.5, 1] }
  const all = [0, 1].flatMap(animal => [0, 0.5, 1].map(mecha => ({ noir: 0.2, animal, mecha })))
  const mixes = all.map(() => mixOf(['avatar.identity.dot_pip', 1], ['avatar.style.mecha', 0.4]))
  mixes[5] = mixOf(['avatar.identity.dot_pip', 1])
  const planned = planComposite({ subject: 'pip', template, variations: all, mixes, set }, { sheet: true })
  t.match(planned, { over: 'variations', columns: 3, heading: { title: 'pip · Bust', detail: 'noir 0.2' } })
  t.strictSame(planned?.labels[1], { caption: 'animal 0 · mecha 0.5', detail: 'LoRA mecha 0.4' })
  t.strictSame(planned?.labels[5], { caption: 'animal 1 · mecha 1', detail: 'no style LoRA' })
})

t.test('checkSheet refuses a sheet of nothing, and one of too much', async t => {
  t.strictSame(checkSheet(2), [])
  t.strictSame(checkSheet(sheetPicturesMax), [])
  t.match(checkSheet(1), [{ severity: 'error', code: 'SHEET_UNFIT', message: /nothing is swept/ }])
  t.match(checkSheet(sheetPicturesMax + 1), [{ severity: 'error', message: /at most 400/ }])
})
