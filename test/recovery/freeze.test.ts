import { join } from 'node:path'
import t from 'tap'
import { freezeDaemon } from './freeze.js'

t.test('a daemon that stood still goes on as if nothing had been, and no other could take its home', async t => {
  const options = { slots: 12, jobMs: 400, frozenMs: 4000, depth: 4 }
  const { problems, done, renders, refusals, ended, finishedMeanwhile } = await freezeDaemon(
    join(t.testdir(), 'frozen'),
    options,
  )
  t.strictSame(problems, [])
  t.equal(done, 12)
  t.equal(renders, 12, 'nothing was rendered twice')
  t.strictSame(ended, [], 'no attempt was given up for the silence of the daemon itself')
  t.ok(finishedMeanwhile > 1, `${finishedMeanwhile} pictures were finished meanwhile`)
  t.ok(refusals.length > 0)
  for (const { code, said } of refusals) {
    t.equal(code, 2, 'a second daemon is refused')
    t.match(said, /process \d+ since/, 'and the first is named')
  }
})
