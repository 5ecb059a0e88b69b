import t from 'tap'
import { chooseOffer } from '../../../src/farm/choose-offer.js'

const group = (lane: string, rest: object) => ({ lane, run: lane, band: 1, weight: 1, since: 0, ...rest })
const cases = {
  'offers nothing where nothing waits': { groups: [], places: {}, chosen: undefined },
  'offers the best band first': {
    groups: [group('a', {}), group('b', { band: 0 })],
    places: { b: 9 },
    chosen: 'b',
  },
  'offers the run with the least share': {
    groups: [group('a', {}), group('b', {})],
    places: { a: 2, b: 1 },
    chosen: 'b',
  },
  'counts a share by weight': {
    groups: [group('a', { weight: 4 }), group('b', {})],
    places: { a: 2, b: 1 },
    chosen: 'a',
  },
  'offers the oldest group of equal ones': {
    groups: [group('a', { since: 5 }), group('b', { since: 3 })],
    places: {},
    chosen: 'b',
  },
}

for (const [title, { groups, places, chosen }] of Object.entries(cases))
  t.test(`chooseOffer ${title}`, async t => {
    const placesOf = (run: string) => (places as Record<string, number>)[run] ?? 0
    t.equal(chooseOffer(groups, placesOf)?.lane, chosen)
  })
