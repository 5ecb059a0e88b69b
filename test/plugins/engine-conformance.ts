import t, { type Test } from 'tap'
import type { Claim, Job, QueueEngine } from '../../src/plugins/contract.js'
import { makeJob, smallGraph } from './provider-comfyui/make-job.js'

interface At {
  t: Test
  engine: QueueEngine
}

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

/** Holds an engine to every promise of `QueueEngine`, one test for each. Each opens an empty one. */
export function testEngine(name: string, open: (t: Test) => Promise<QueueEngine>): void {
  for (const [promise, test] of Object.entries(promises)) {
    t.test(`${name}: ${promise}`, async t => {
      const engine = await open(t)
      await test({ t, engine })
      await engine.close()
    })
  }
}

/** A whole job, as the farm offers it. */
export function wholeJob(id: string): Job {
  return makeJob({ id, graph: smallGraph(1), isPrivate: false })
}

/** Whole jobs named by numbers. */
export function wholeJobs(count: number, prefix = 'j'): Job[] {
  return Array.from({ length: count }, (_, at) => wholeJob(`${prefix}${at}`))
}

/** Claims until the lane is empty. */
export async function claimAll(engine: QueueEngine, lane: string): Promise<Claim[]> {
  const claims: Claim[] = []
  for (;;) {
    const claim = await engine.claim(lane)
    if (!claim) return claims
    claims.push(claim)
  }
}

const promises: Record<string, (at: At) => Promise<void>> = {
  async 'hands out the jobs of a lane in the order of offering, whole'({ t, engine }) {
    const jobs = wholeJobs(30)
    await engine.offer('a', jobs.slice(0, 20))
    await engine.offer('b', [wholeJob('other')])
    await engine.offer('a', jobs.slice(20))
    const claims = await claimAll(engine, 'a')
    t.strictSame(
      claims.map(claim => claim.job),
      jobs,
    )
    t.ok(claims.every(claim => claim.lane === 'a'))
    t.equal(new Set(claims.map(claim => claim.token)).size, jobs.length)
    t.equal(await engine.claim('nobody'), undefined)
    t.equal((await engine.claim('b'))?.job.id, 'other')
  },
  async 'gives each of 500 jobs to one of 8 claimers'({ t, engine }) {
    const jobs = wholeJobs(500)
    await engine.offer('a', jobs)
    const claimers = await Promise.all(Array.from({ length: 8 }, () => claimAll(engine, 'a')))
    const ids = claimers.flat().map(claim => claim.job.id)
    t.equal(ids.length, 500)
    t.equal(new Set(ids).size, 500)
    t.strictSame(await engine.counts(), new Map())
  },
  async 'puts a released job back at the head of its lane'({ t, engine }) {
    await engine.offer('a', wholeJobs(4))
    const first = await claimed(engine, 'a')
    const second = await claimed(engine, 'a')
    await engine.release(second)
    await engine.release(first)
    await engine.release(first)
    t.equal(await engine.extend(first), false)
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j0', 'j1', 'j2', 'j3'])
  },
  async 'keeps a claim that is extended'({ t, engine }) {
    await engine.offer('a', wholeJobs(1))
    const claim = await claimed(engine, 'a')
    t.equal(await engine.extend(claim), true)
    t.equal(await engine.claim('a'), undefined)
    await engine.finish(claim)
    t.equal(await engine.extend(claim), false)
  },
  async 'forgets a finished job, which may be offered again'({ t, engine }) {
    const jobs = wholeJobs(1)
    await engine.offer('a', jobs)
    const claim = await claimed(engine, 'a')
    await engine.finish(claim)
    await engine.finish(claim)
    await engine.release(claim)
    t.equal(await engine.claim('a'), undefined)
    await engine.offer('a', jobs)
    t.equal((await claimed(engine, 'a')).job.id, 'j0')
  },
  async 'lets a lost claim do nothing to the claim that followed'({ t, engine }) {
    await engine.offer('a', wholeJobs(2))
    const lost = await claimed(engine, 'a')
    await engine.release(lost)
    const next = await claimed(engine, 'a')
    t.equal(next.job.id, lost.job.id)
    t.equal(await engine.extend(lost), false)
    await engine.finish(lost)
    await engine.release(lost)
    t.equal(await engine.extend(next), true)
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j1'])
  },
  async 'knows no claim of another engine'({ t, engine }) {
    await engine.offer('a', wholeJobs(1))
    const own = await claimed(engine, 'a')
    const foreign = { ...own, token: 'foreign' }
    t.equal(await engine.extend(foreign), false)
    await engine.finish(foreign)
    await engine.release(foreign)
    t.equal(await engine.extend(own), true)
    t.equal(await engine.claim('a'), undefined)
  },
  async 'ignores an offer of what waits or is claimed, in any lane'({ t, engine }) {
    const jobs = wholeJobs(3)
    await engine.offer('a', jobs)
    const claim = await claimed(engine, 'a')
    await engine.offer('a', [...jobs, ...jobs])
    await engine.offer('b', jobs)
    t.strictSame(await engine.counts(), new Map([['a', 2]]))
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j1', 'j2'])
    await engine.release(claim)
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j0'])
  },
  async 'takes one of several equal jobs of an offer'({ t, engine }) {
    await engine.offer('a', [...wholeJobs(2), ...wholeJobs(2)])
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j0', 'j1'])
  },
  async 'cancels what nobody has claimed, and says what that was'({ t, engine }) {
    await engine.offer('a', wholeJobs(4))
    await engine.offer('b', wholeJobs(2, 'k'))
    const claim = await claimed(engine, 'a')
    t.strictSame((await engine.cancel(['j0', 'j2', 'k1', 'unknown'])).sort(), ['j2', 'k1'])
    t.strictSame(await engine.cancel(['j0', 'j2']), [])
    t.strictSame(await engine.cancel([]), [])
    t.equal(await engine.extend(claim), true)
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j1', 'j3'])
    await engine.offer('b', wholeJobs(2, 'k'))
    t.strictSame(idsOf(await claimAll(engine, 'b')), ['k0', 'k1'], 'what was cancelled may be offered again')
  },
  async 'counts waiting jobs by lane, the one with the oldest head first'({ t, engine }) {
    const jobs = wholeJobs(5)
    await engine.offer('z', jobs.slice(0, 1))
    await engine.offer('b', jobs.slice(1, 2))
    await engine.offer('a', jobs.slice(2, 3))
    await engine.offer('z', jobs.slice(3))
    t.strictSame(await lanesOf(engine), [
      ['z', 3],
      ['b', 1],
      ['a', 1],
    ])
    const claim = await claimed(engine, 'z')
    t.strictSame(await lanesOf(engine), [
      ['b', 1],
      ['a', 1],
      ['z', 2],
    ])
    await engine.release(claim)
    t.strictSame((await lanesOf(engine))[0], ['z', 3])
    await claimAll(engine, 'b')
    t.strictSame(await lanesOf(engine), [
      ['z', 3],
      ['a', 1],
    ])
  },
  async 'drains what nobody has claimed'({ t, engine }) {
    await engine.offer('a', wholeJobs(450))
    await engine.offer('b', wholeJobs(2, 'k'))
    const claim = await claimed(engine, 'a')
    const drained = await engine.drain()
    t.strictSame(
      drained.map(job => job.id),
      [...wholeJobs(450).slice(1), ...wholeJobs(2, 'k')].map(job => job.id),
    )
    t.strictSame(drained[0], wholeJob('j1'))
    t.strictSame(await engine.counts(), new Map())
    t.strictSame(await engine.drain(), [])
    t.equal(await engine.extend(claim), true)
    await engine.offer('a', drained.slice(0, 2))
    t.strictSame(idsOf(await claimAll(engine, 'a')), ['j1', 'j2'])
  },
  async 'holds 60 lanes'({ t, engine }) {
    const lanes = Array.from({ length: 60 }, (_, at) => `default/draft/${at}`)
    await Promise.all(lanes.map(lane => engine.offer(lane, wholeJobs(3, `${lane}-`))))
    const counts = await engine.counts()
    t.equal(counts.size, 60)
    t.ok([...counts.values()].every(count => count === 3))
    for (const lane of lanes) t.equal((await claimed(engine, lane)).job.id, `${lane}-0`)
  },
  async 'takes any lane by its name alone'({ t, engine }) {
    for (const [at, lane] of oddLanes.entries()) await engine.offer(lane, wholeJobs(2, `j${at}-`))
    t.strictSame([...(await engine.counts()).keys()], oddLanes)
    for (const [at, lane] of oddLanes.entries()) {
      const claim = await claimed(engine, lane)
      t.equal(claim.job.id, `j${at}-0`, lane)
      t.equal(claim.lane, lane)
      await engine.release(claim)
      t.strictSame(await engine.cancel([`j${at}-1`]), [`j${at}-1`])
    }
  },
  async 'takes ids of digits and of several parts'({ t, engine }) {
    const ids = ['1', '007', 'a:b', 'a:b:c', 'wait', 'j/1']
    await engine.offer('a', ids.map(wholeJob))
    t.strictSame(await engine.cancel(['a:b']), ['a:b'])
    t.strictSame(
      idsOf(await claimAll(engine, 'a')),
      ids.filter(id => id !== 'a:b'),
    )
  },
  async 'takes an offer of nothing'({ t, engine }) {
    await engine.offer('a', [])
    t.strictSame(await engine.counts(), new Map())
    t.equal(await engine.claim('a'), undefined)
  },
  async 'closes with jobs and claims in it, and again'({ t, engine }) {
    await engine.offer('a', wholeJobs(3))
    await claimed(engine, 'a')
    await engine.close()
    await t.resolves(engine.close())
  },
}

async function claimed(engine: QueueEngine, lane: string): Promise<Claim> {
  const claim = await engine.claim(lane)
  if (!claim) throw new Error(`nothing to claim in ${lane}`)
  return claim
}

async function lanesOf(engine: QueueEngine): Promise<[string, number][]> {
  return [...(await engine.counts())]
}

function idsOf(claims: readonly Claim[]): string[] {
  return claims.map(claim => claim.job.id)
}
