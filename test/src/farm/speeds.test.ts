import t from 'tap'
import { Speeds } from '../../../src/farm/speeds.js'

t.test('Speeds knows nothing before something was measured', async t => {
  const speeds = new Speeds()
  t.equal(speeds.jobMs('one', 'work'), undefined)
  t.equal(speeds.switchMs('one', 'models'), 0)
  t.equal(speeds.switchMs('one', 'loras'), 0)
  t.equal(speeds.countOf('one', 'work'), 0)
  t.strictSame(speeds.of('one'), {})
  t.strictSame(speeds.export(), [])
})

t.test('Speeds takes the mean of a few, and lets newer ones weigh a quarter', async t => {
  const speeds = new Speeds()
  const means = [100, 200, 300, 400, 1000].map(renderMs => {
    speeds.add('one', 'work', { renderMs, loaded: 'none' })
    return speeds.jobMs('one', 'work')
  })
  t.strictSame(means, [100, 150, 200, 250, 437.5])
  t.equal(speeds.countOf('one', 'work'), 5)
})

t.test('Speeds of others stand in for a server that was not measured', async t => {
  const speeds = new Speeds()
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  speeds.add('two', 'work', { renderMs: 300, loaded: 'none' })
  t.equal(speeds.jobMs('three', 'work'), 200)
  t.equal(speeds.jobMs('one', 'work'), 100)
  t.equal(speeds.jobMs('three', 'other work'), undefined)
  t.equal(speeds.countOf('three', 'work'), 0)
})

t.test('Speeds tells loading from rendering', async t => {
  const speeds = new Speeds()
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  speeds.add('one', 'work', { renderMs: 600, loaded: 'models' })
  speeds.add('one', 'work', { renderMs: 150, loaded: 'loras' })
  t.equal(speeds.jobMs('one', 'work'), 100)
  t.equal(speeds.switchMs('one', 'models'), 500)
  t.equal(speeds.switchMs('one', 'loras'), 50)
  t.equal(speeds.switchMs('two', 'models'), 500, 'of another')
})

t.test('Speeds takes no less than nothing for loading', async t => {
  const speeds = new Speeds()
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  speeds.add('one', 'work', { renderMs: 90, loaded: 'loras' })
  t.equal(speeds.switchMs('one', 'loras'), 0)
})

t.test('Speeds learns what the first loading took once a warm rendering was seen', async t => {
  const speeds = new Speeds()
  speeds.add('one', 'work', { renderMs: 600, loaded: 'models' })
  t.equal(speeds.jobMs('one', 'work'), undefined, 'nobody can tell yet')
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  t.equal(speeds.switchMs('one', 'models'), 500)
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  t.equal(speeds.switchMs('one', 'models'), 500, 'counted once')
})

t.test('Speeds forgets a server', async t => {
  const speeds = new Speeds()
  speeds.add('one', 'work', { renderMs: 100, loaded: 'none' })
  speeds.add('one-more', 'work', { renderMs: 300, loaded: 'none' })
  speeds.add('one', 'other', { renderMs: 900, loaded: 'models' })
  speeds.forget('one')
  t.equal(speeds.countOf('one', 'work'), 0)
  t.equal(speeds.countOf('one-more', 'work'), 1)
  speeds.add('one', 'other', { renderMs: 100, loaded: 'none' })
  t.equal(speeds.switchMs('one', 'models'), 0, 'nor is a loading of before left')
})

t.test('Speeds tells how far measurements lie apart', async t => {
  const speeds = new Speeds()
  for (const renderMs of [100, 140, 100]) speeds.add('one', 'work', { renderMs, loaded: 'none' })
  const [rates] = speeds.export()
  t.equal(rates?.works['work']?.count, 3)
  t.ok((rates?.works['work']?.spreadMs ?? 0) > 0)
})

t.test('Speeds are exported, and imported as a guess', async t => {
  const before = new Speeds()
  for (const renderMs of [100, 100, 100]) before.add('one', 'work', { renderMs, loaded: 'none' })
  before.add('one', 'work', { renderMs: 600, loaded: 'models' })
  before.add('one', 'work', { renderMs: 150, loaded: 'loras' })
  before.add('two', 'work', { renderMs: 300, loaded: 'none' })
  t.strictSame(before.of('two'), { work: 300 })
  const after = new Speeds()
  after.import(before.export())
  t.equal(after.jobMs('one', 'work'), 100)
  t.equal(after.jobMs('three', 'work'), 200)
  t.equal(after.switchMs('one', 'models'), 500)
  t.equal(after.switchMs('one', 'loras'), 50)
  t.strictSame(after.export(), before.export())
  after.add('one', 'work', { renderMs: 300, loaded: 'none' })
  t.equal(after.jobMs('one', 'work'), 200, 'what is measured now soon outweighs it')
})
