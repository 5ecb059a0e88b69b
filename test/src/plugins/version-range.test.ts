import t from 'tap'
import { isInRange } from '../../../src/plugins/version-range.js'

/** Ranges with versions inside and outside. */
const cases: Record<string, { inside: string[]; outside: string[] }> = {
  '*': { inside: ['0.0.0', '9.9.9'], outside: ['1.0.0-rc.1', 'nonsense', ''] },
  '^1.2.3': { inside: ['1.2.3', '1.9.0', '1.2.3+build'], outside: ['1.2.2', '2.0.0', '2.0.0-rc.1', '1.3.0-rc.1'] },
  '^0.2.3': { inside: ['0.2.3', '0.2.9'], outside: ['0.3.0', '0.2.2'] },
  '^0.0.3': { inside: ['0.0.3'], outside: ['0.0.4'] },
  '^0.2': { inside: ['0.2.0', '0.2.7'], outside: ['0.3.0'] },
  '^0': { inside: ['0.0.1', '0.9.0'], outside: ['1.0.0'] },
  '^0.0': { inside: ['0.0.1'], outside: ['0.1.0'] },
  '^1': { inside: ['1.0.0', '1.9.9'], outside: ['2.0.0', '0.9.0'] },
  '~1.2.3': { inside: ['1.2.3', '1.2.9'], outside: ['1.3.0', '1.2.2'] },
  '~1.2': { inside: ['1.2.0'], outside: ['1.3.0'] },
  '~1': { inside: ['1.9.0'], outside: ['2.0.0'] },
  '>=1.0.0': { inside: ['1.0.0', '7.0.0'], outside: ['0.9.9', '1.0.0-rc.1'] },
  '>1.2.3': { inside: ['1.2.4'], outside: ['1.2.3'] },
  '>1.2': { inside: ['1.3.0'], outside: ['1.2.9'] },
  '<2': { inside: ['1.9.9'], outside: ['2.0.0'] },
  '<=1.2.3': { inside: ['1.2.3'], outside: ['1.2.4'] },
  '<=1.2': { inside: ['1.2.9'], outside: ['1.3.0'] },
  '>= 1.0.0 < 2.0.0': { inside: ['1.5.0'], outside: ['2.0.0', '0.1.0'] },
  '^1.0.0 || ^3.0.0': { inside: ['1.1.0', '3.1.0'], outside: ['2.0.0'] },
  '1.2.x': { inside: ['1.2.0', '1.2.9'], outside: ['1.3.0'] },
  '1.x.3': { inside: ['1.0.5', '1.5.0'], outside: ['2.0.3'] },
  'v1.2.X': { inside: ['1.2.9'], outside: ['1.3.0'] },
  '1.2.3': { inside: ['1.2.3'], outside: ['1.2.4'] },
  '=1.2.3': { inside: ['1.2.3'], outside: ['1.2.4', '1.2.3-rc.1'] },
  '^1.0.0-rc.2': {
    inside: ['1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', '1.4.0'],
    outside: ['1.0.0-rc.1', '1.0.0-beta', '1.1.0-rc.3'],
  },
}
for (const [range, { inside, outside }] of Object.entries(cases))
  t.test(`isInRange ${range}`, t => {
    for (const version of inside) t.equal(isInRange(version, range), true, `holds ${version}`)
    for (const version of outside) t.equal(isInRange(version, range), false, `leaves ${version} out`)
    t.end()
  })

t.test('isInRange tells what is no range', t => {
  for (const range of ['latest', '^', '1.2.3.4', '^1 ||', '<*', 'git+ssh://x', '1.0 - 2.0'])
    t.equal(isInRange('1.0.0', range), undefined, range)
  t.end()
})
