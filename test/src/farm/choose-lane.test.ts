import t from 'tap'
import { chooseLane, laneOf } from '../../../src/farm/choose-lane.js'

const server = { renderer: 'draft', modelSet: 'a', active: 0, isLeft: () => false }
const cases: Record<
  string,
  { waiting: [string, number][]; server?: Partial<typeof server>; chosen: string | undefined }
> = {
  'takes nothing where nothing waits': { waiting: [['1/draft/a', 0]], chosen: undefined },
  'leaves the jobs of another renderer': { waiting: [['1/comfyui/a', 3]], chosen: undefined },
  'serves the best band first, whatever is loaded': {
    waiting: [
      ['1/draft/a', 9],
      ['0/draft/b', 1],
    ],
    chosen: '0/draft/b',
  },
  'takes what is loaded before a longer lane': {
    waiting: [
      ['1/draft/b', 9],
      ['1/draft/a', 1],
    ],
    chosen: '1/draft/a',
  },
  'takes the longest lane where nothing of it is loaded': {
    waiting: [
      ['1/draft/b', 2],
      ['1/draft/c', 5],
    ],
    chosen: '1/draft/c',
  },
  'takes nothing cold behind another job': { waiting: [['1/draft/b', 5]], server: { active: 1 }, chosen: undefined },
  'leaves a lane alone that it was told to': {
    waiting: [
      ['1/draft/a', 5],
      ['1/draft/b', 1],
    ],
    server: { isLeft: (lane?: string) => lane === '1/draft/a' } as Partial<typeof server>,
    chosen: '1/draft/b',
  },
  'leaves what is no lane of ours': { waiting: [['anything', 5]], chosen: undefined },
}

for (const [title, { waiting, server: own, chosen }] of Object.entries(cases))
  t.test(`chooseLane ${title}`, async t => t.equal(chooseLane(new Map(waiting), { ...server, ...own }), chosen))

t.test('laneOf tells bands, renderers, models and labels apart, in what an engine takes', async t => {
  const group = { band: 1, renderer: 'Draft 2', modelSet: 'ab12', labels: [] as string[] }
  t.equal(laneOf(group), '1/draft-2/ab12')
  const labelled = laneOf({ ...group, labels: ['24gb', 'EU'] })
  t.equal(labelled, laneOf({ ...group, labels: ['EU', '24gb'] }))
  t.match(labelled, /^[a-z0-9:/._-]{1,200}$/)
  t.not(labelled, laneOf({ ...group, labels: ['EU'] }))
})
