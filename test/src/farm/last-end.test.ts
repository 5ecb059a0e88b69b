import t from 'tap'
import { lastEnd } from '../../../src/farm/last-end.js'

t.test(
  'the last end is the latest at both ends, and is not known where one of them is not, or there is none',
  async t => {
    const early = { lowS: 5, highS: 6 }
    const wide = { lowS: 1, highS: 9 }
    t.strictSame(lastEnd([early, wide]), { lowS: 5, highS: 9 })
    t.strictSame(lastEnd(new Set([early])), early)
    t.equal(lastEnd([early, undefined, wide]), undefined)
    t.equal(lastEnd([]), undefined)
  },
)
