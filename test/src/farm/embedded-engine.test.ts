import t from 'tap'
import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import type { Job } from '../../../src/plan/job.js'

/** The engine looks at the id, the renderer and the model set of a job alone. */
const job = (id: string, modelSet = 'a') => ({ id, modelSet, target: { renderer: 'r' } }) as Job

async function filled() {
  const engine = createEmbeddedEngine()
  await engine.offer([job('1', 'a'), job('2', 'b'), job('3', 'a')])
  return engine
}

t.test('createEmbeddedEngine hands out the jobs of a lane in the order of offering', async t => {
  const engine = await filled()
  await engine.offer([job('4', 'a')])
  const ids: (string | undefined)[] = []
  for (let at = 0; at < 4; at++) ids.push((await engine.claim('r/a'))?.job.id)
  t.strictSame(ids, ['1', '3', '4', undefined])
  t.equal(await engine.claim('r/nobody'), undefined)
  t.strictSame([...(await engine.counts())], [['r/b', 1]])
})

t.test('createEmbeddedEngine tells the lane with the oldest job first', async t => {
  const engine = await filled()
  t.strictSame(
    [...(await engine.counts())],
    [
      ['r/a', 2],
      ['r/b', 1],
    ],
  )
})

t.test('createEmbeddedEngine puts a released job back at the head, once', async t => {
  const engine = await filled()
  const claim = await engine.claim('r/a')
  if (!claim) return t.fail('nothing to claim')
  t.equal(await engine.extend(claim), true)
  await engine.release(claim)
  await engine.release(claim)
  t.equal(await engine.extend(claim), false)
  t.strictSame([...(await engine.counts()).values()], [2, 1])
  t.equal((await engine.claim('r/a'))?.job.id, '1')
})

t.test('createEmbeddedEngine keeps nothing of a finished claim', async t => {
  const engine = await filled()
  const claim = await engine.claim('r/b')
  if (!claim) return t.fail('nothing to claim')
  await engine.finish(claim)
  t.equal(await engine.extend(claim), false)
  await engine.release(claim)
  t.equal(await engine.claim('r/b'), undefined, 'a finished claim cannot be put back')
})

t.test('createEmbeddedEngine cancels what nobody has claimed, and says what that was', async t => {
  const engine = await filled()
  await engine.claim('r/b')
  t.strictSame(await engine.cancel(['2', '3', '9']), ['3'])
  t.strictSame(
    (await engine.drain()).map(each => each.id),
    ['1'],
  )
  t.strictSame([...(await engine.counts())], [])
})
