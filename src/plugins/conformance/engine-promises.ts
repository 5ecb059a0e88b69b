import { strict as assert } from 'node:assert'
import { type Claim, extendEveryMs, type QueueEngine } from '../contract.js'
import { claimAll, claimOne, idsOf, wholeJob, wholeJobs } from './engine-jobs.js'
import type { EnginePromise } from './engine-subject.js'

/** Names that an engine might read something into. */
const oddLanes = [
  'default/draft/0f3a9c',
  'rush:draft:a',
  ':',
  '::',
  '/',
  '.',
  '..',
  'a/../b',
  '0',
  '007',
  '-',
  '_',
  '__proto__',
  'constructor',
  'wait',
  'lanes',
  'a:wait',
  'a'.repeat(200),
  `${'b'.repeat(199)}:`,
]

/** Longest time after which a claim that nobody extends has come back. */
const lostMsMax = 5 * extendEveryMs

/** Everything that an engine promises, by its name. */
export const enginePromises: Readonly<Record<string, EnginePromise>> = {
  'hands out the jobs of a lane in the order of offering, whole': {
    async test({ engine }) {
      const jobs = wholeJobs(30)
      await engine.offer('a', jobs.slice(0, 20))
      await engine.offer('b', [wholeJob('other')])
      await engine.offer('a', jobs.slice(20))
      const claims = await claimAll(engine, 'a')
      assert.deepEqual(
        claims.map(claim => claim.job),
        jobs,
      )
      assert.ok(claims.every(claim => claim.lane === 'a'))
      assert.equal(new Set(claims.map(claim => claim.token)).size, jobs.length)
      assert.equal(await engine.claim('nobody'), undefined)
      assert.equal((await engine.claim('b'))?.job.id, 'other')
    },
  },
  'gives each of 500 jobs to one of 8 claimers': {
    async test({ engine }) {
      const jobs = wholeJobs(500)
      await engine.offer('a', jobs)
      const claimers = await Promise.all(Array.from({ length: 8 }, () => claimAll(engine, 'a')))
      const ids = claimers.flat().map(claim => claim.job.id)
      assert.equal(ids.length, 500)
      assert.equal(new Set(ids).size, 500)
      assert.deepEqual(await engine.counts(), new Map())
    },
  },
  'puts a released job back at the head of its lane': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(4))
      const first = await claimOne(engine, 'a')
      const second = await claimOne(engine, 'a')
      await engine.release(second)
      await engine.release(first)
      await engine.release(first)
      assert.equal(await engine.extend(first), false)
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j0', 'j1', 'j2', 'j3'])
    },
  },
  'keeps a claim that is extended': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(1))
      const claim = await claimOne(engine, 'a')
      assert.equal(await engine.extend(claim), true)
      assert.equal(await engine.claim('a'), undefined)
      await engine.finish(claim)
      assert.equal(await engine.extend(claim), false)
    },
  },
  'forgets a finished job, which may be offered again': {
    async test({ engine }) {
      const jobs = wholeJobs(1)
      await engine.offer('a', jobs)
      const claim = await claimOne(engine, 'a')
      await engine.finish(claim)
      await engine.finish(claim)
      await engine.release(claim)
      assert.equal(await engine.claim('a'), undefined)
      await engine.offer('a', jobs)
      assert.equal((await claimOne(engine, 'a')).job.id, 'j0')
    },
  },
  'lets a lost claim do nothing to the claim that followed': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(2))
      const lost = await claimOne(engine, 'a')
      await engine.release(lost)
      const next = await claimOne(engine, 'a')
      assert.equal(next.job.id, lost.job.id)
      assert.equal(await engine.extend(lost), false)
      await engine.finish(lost)
      await engine.release(lost)
      assert.equal(await engine.extend(next), true)
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j1'])
    },
  },
  'knows no claim of another engine': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(1))
      const own = await claimOne(engine, 'a')
      const foreign = { ...own, token: 'foreign' }
      assert.equal(await engine.extend(foreign), false)
      await engine.finish(foreign)
      await engine.release(foreign)
      assert.equal(await engine.extend(own), true)
      assert.equal(await engine.claim('a'), undefined)
    },
  },
  'ignores an offer of what waits or is claimed, in any lane': {
    async test({ engine }) {
      const jobs = wholeJobs(3)
      await engine.offer('a', jobs)
      const claim = await claimOne(engine, 'a')
      await engine.offer('a', [...jobs, ...jobs])
      await engine.offer('b', jobs)
      assert.deepEqual(await engine.counts(), new Map([['a', 2]]))
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j1', 'j2'])
      await engine.release(claim)
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j0'])
    },
  },
  'takes one of several equal jobs of an offer': {
    async test({ engine }) {
      await engine.offer('a', [...wholeJobs(2), ...wholeJobs(2)])
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j0', 'j1'])
    },
  },
  'cancels what nobody has claimed, and says what that was': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(4))
      await engine.offer('b', wholeJobs(2, 'k'))
      const claim = await claimOne(engine, 'a')
      assert.deepEqual((await engine.cancel(['j0', 'j2', 'k1', 'unknown'])).sort(), ['j2', 'k1'])
      assert.deepEqual(await engine.cancel(['j0', 'j2']), [])
      assert.deepEqual(await engine.cancel([]), [])
      assert.equal(await engine.extend(claim), true)
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j1', 'j3'])
      await engine.offer('b', wholeJobs(2, 'k'))
      assert.deepEqual(idsOf(await claimAll(engine, 'b')), ['k0', 'k1'], 'what was cancelled may be offered again')
    },
  },
  'counts waiting jobs by lane, the one with the oldest head first': {
    async test({ engine }) {
      const jobs = wholeJobs(5)
      await engine.offer('z', jobs.slice(0, 1))
      await engine.offer('b', jobs.slice(1, 2))
      await engine.offer('a', jobs.slice(2, 3))
      await engine.offer('z', jobs.slice(3))
      assert.deepEqual(await lanesOf(engine), [
        ['z', 3],
        ['b', 1],
        ['a', 1],
      ])
      const claim = await claimOne(engine, 'z')
      assert.deepEqual(await lanesOf(engine), [
        ['b', 1],
        ['a', 1],
        ['z', 2],
      ])
      await engine.release(claim)
      assert.deepEqual((await lanesOf(engine))[0], ['z', 3])
      await claimAll(engine, 'b')
      assert.deepEqual(await lanesOf(engine), [
        ['z', 3],
        ['a', 1],
      ])
    },
  },
  'drains what nobody has claimed': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(450))
      await engine.offer('b', wholeJobs(2, 'k'))
      const claim = await claimOne(engine, 'a')
      const drained = await engine.drain()
      assert.deepEqual(
        drained.map(job => job.id),
        [...wholeJobs(450).slice(1), ...wholeJobs(2, 'k')].map(job => job.id),
      )
      assert.deepEqual(drained[0], wholeJob('j1'))
      assert.deepEqual(await engine.counts(), new Map())
      assert.deepEqual(await engine.drain(), [])
      assert.equal(await engine.extend(claim), true)
      await engine.offer('a', drained.slice(0, 2))
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j1', 'j2'])
    },
  },
  'holds 60 lanes': {
    async test({ engine }) {
      const lanes = Array.from({ length: 60 }, (_, at) => `default/draft/${at}`)
      await Promise.all(lanes.map(lane => engine.offer(lane, wholeJobs(3, `${lane}-`))))
      const counts = await engine.counts()
      assert.equal(counts.size, 60)
      assert.ok([...counts.values()].every(count => count === 3))
      for (const lane of lanes) assert.equal((await claimOne(engine, lane)).job.id, `${lane}-0`)
    },
  },
  'takes any lane by its name alone': {
    async test({ engine }) {
      for (const [at, lane] of oddLanes.entries()) await engine.offer(lane, wholeJobs(2, `j${at}-`))
      assert.deepEqual([...(await engine.counts()).keys()], oddLanes)
      for (const [at, lane] of oddLanes.entries()) {
        const claim = await claimOne(engine, lane)
        assert.equal(claim.job.id, `j${at}-0`, lane)
        assert.equal(claim.lane, lane)
        await engine.release(claim)
        assert.deepEqual(await engine.cancel([`j${at}-1`]), [`j${at}-1`])
      }
    },
  },
  'takes ids of digits and of several parts': {
    async test({ engine }) {
      const ids = ['1', '007', 'a:b', 'a:b:c', 'wait', 'j/1']
      await engine.offer('a', ids.map(wholeJob))
      assert.deepEqual(await engine.cancel(['a:b']), ['a:b'])
      assert.deepEqual(
        idsOf(await claimAll(engine, 'a')),
        ids.filter(id => id !== 'a:b'),
      )
    },
  },
  'takes an offer of nothing': {
    async test({ engine }) {
      await engine.offer('a', [])
      assert.deepEqual(await engine.counts(), new Map())
      assert.equal(await engine.claim('a'), undefined)
    },
  },
  'closes with jobs and claims in it, and again': {
    async test({ engine }) {
      await engine.offer('a', wholeJobs(3))
      await claimOne(engine, 'a')
      await engine.close()
      await engine.close()
    },
  },
  'keeps a claim that is extended in time, and gives one that nobody extends to the next who asks': {
    needs: ['passTime'],
    async test({ engine, passTime }) {
      await engine.offer('a', wholeJobs(2))
      const claim = await claimOne(engine, 'a')
      for (let times = 0; times < 2; times++) {
        await passTime?.(extendEveryMs)
        assert.equal(await engine.extend(claim), true, 'it was extended in time')
      }
      assert.deepEqual(idsOf(await claimAll(engine, 'a')), ['j1'])
      let next: Claim | undefined
      for (let ms = 0; ms < lostMsMax && !next; ms += extendEveryMs) {
        await passTime?.(extendEveryMs)
        next = await engine.claim('a')
      }
      assert.equal(next?.job.id, 'j0', 'a claim that nobody extends comes back')
      assert.equal(await engine.extend(claim), false, 'it was lost')
      await engine.finish(claim)
      assert.equal(await engine.extend(next), true)
    },
  },
  'shows one home to all its processes': {
    needs: ['reopen'],
    async test({ engine, reopen }) {
      const other = (await reopen?.()) ?? engine
      await engine.offer('a', wholeJobs(2))
      assert.deepEqual(await other.counts(), new Map([['a', 2]]))
      const claim = await claimOne(other, 'a')
      assert.deepEqual(await engine.cancel(['j0', 'j1']), ['j1'], 'a job that another process has claimed stays')
      assert.equal(await engine.extend(claim), false, 'the claim of another process')
      await engine.finish(claim)
      assert.equal(await other.extend(claim), true)
    },
  },
  'leaves jobs and claims to the next process': {
    needs: ['reopen'],
    async test({ engine, reopen }) {
      await engine.offer('a', wholeJobs(3))
      await claimOne(engine, 'a')
      await engine.close()
      const next = (await reopen?.()) ?? engine
      assert.deepEqual(await next.counts(), new Map([['a', 2]]))
      await next.offer('a', wholeJobs(3))
      assert.deepEqual(idsOf(await claimAll(next, 'a')), ['j1', 'j2'])
    },
  },
}

async function lanesOf(engine: QueueEngine): Promise<[string, number][]> {
  return [...(await engine.counts())]
}
