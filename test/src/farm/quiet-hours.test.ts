import t from 'tap'
import { isQuiet } from '../../../src/farm/quiet-hours.js'

const week = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
/** Hours, a time of the week, and whether a server rests then. */
const cases: [string[], string, boolean][] = [
  [[], 'mon 12:00', false],
  [['08:00-18:00'], 'sun 07:59', false],
  [['08:00-18:00'], 'sun 08:00', true],
  [['08:00-18:00'], 'sat 17:59', true],
  [['08:00-18:00'], 'sat 18:00', false],
  [['mon-fri 08:00-18:00'], 'fri 09:00', true],
  [['mon-fri 08:00-18:00'], 'sat 09:00', false],
  [['22:00-06:00'], 'tue 23:00', true],
  [['22:00-06:00'], 'tue 05:59', true],
  [['22:00-06:00'], 'tue 06:00', false],
  [['fri 22:00-06:00'], 'sat 05:00', true],
  [['fri 22:00-06:00'], 'fri 05:00', false],
  [['sat 22:00-06:00'], 'sun 05:00', true],
  [['fri-mon 10:00-11:00'], 'sun 10:30', true],
  [['fri-mon 10:00-11:00'], 'wed 10:30', false],
  [['sun 00:00-00:00'], 'sun 00:00', true],
  [['sun 00:00-00:00'], 'sun 23:59', true],
  [['sun 00:00-00:00'], 'mon 00:00', false],
  [['mon 08:00-09:00', 'wed 08:00-09:00'], 'wed 08:30', true],
  [['always'], 'wed 08:30', false],
]
for (const [hours, time, quiet] of cases) {
  t.test(`${time} is ${quiet ? '' : 'not '}within ${hours.join(', ') || 'no hours'}`, async t => {
    const [day = '', clock = ''] = time.split(' ')
    const [hour = 0, minute = 0] = clock.split(':').map(Number)
    t.equal(isQuiet(hours, { day: week.indexOf(day), minute: hour * 60 + minute }), quiet)
  })
}
