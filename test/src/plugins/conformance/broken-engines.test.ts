import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { engineChecks, type EngineSubject, runChecks } from '../../../../src/plugins/conformance/conformance.js'
import type { QueueEngine } from '../../../../src/plugins/contract.js'
import { offerContract } from '../../../../src/plugins/contract-hooks.js'
import { makeSkeleton } from '../../../../src/plugins/make-skeleton.js'

/** The engine that `foundry plugins init` writes keeps every promise; broken in one way, it is caught by the check of that promise. */
const folder = join(t.testdir(), 'engine-foo')
await makeSkeleton('engine-foo', folder)
offerContract()
const { default: open } = (await import(pathToFileURL(join(folder, 'conformance.js')).href)) as {
  default: () => Promise<EngineSubject>
}

type Break = (whole: EngineSubject) => Partial<EngineSubject>
const inEngine =
  (by: (whole: QueueEngine) => Partial<QueueEngine>): Break =>
  ({ engine }) => ({ engine: { ...engine, ...by(engine) } })
const broken: Record<string, { caughtBy: string; by: Break }> = {
  'hands out ids instead of jobs': {
    caughtBy: 'hands out the jobs of a lane in the order of offering, whole',
    by: inEngine(whole => ({
      claim: async lane => {
        const claim = await whole.claim(lane)
        return claim && ({ ...claim, job: { id: claim.job.id } } as typeof claim)
      },
    })),
  },
  'hands out the newest job first': {
    caughtBy: 'hands out the jobs of a lane in the order of offering, whole',
    by: inEngine(whole => ({ offer: (lane, jobs) => whole.offer(lane, jobs.toReversed()) })),
  },
  'gives a job to two who ask at once': {
    caughtBy: 'gives each of 500 jobs to one of 8 claimers',
    by: inEngine(whole => {
      let claims = 0
      return {
        claim: async lane => {
          const claim = await whole.claim(lane)
          if (claim && ++claims === 7) await whole.release(claim)
          return claim
        },
      }
    }),
  },
  'puts a released job at the end': {
    caughtBy: 'puts a released job back at the head of its lane',
    by: inEngine(whole => ({
      release: async claim => {
        if (!(await whole.extend(claim))) return
        await whole.finish(claim)
        await whole.offer(claim.lane, [claim.job])
      },
    })),
  },
  'knows a finished job for ever': {
    caughtBy: 'forgets a finished job, which may be offered again',
    by: inEngine(whole => {
      const known = new Set<string>()
      return {
        offer: async (lane, jobs) => {
          const unknown = jobs.filter(({ id }) => !known.has(id))
          for (const { id } of unknown) known.add(id)
          await whole.offer(lane, unknown)
        },
      }
    }),
  },
  'looks at the job of a claim alone': {
    caughtBy: 'lets a lost claim do nothing to the claim that followed',
    by: inEngine(whole => {
      const tokens = new Map<string, string>()
      const latest = <C extends { job: { id: string }; token: string }>(claim: C): C => ({
        ...claim,
        token: tokens.get(claim.job.id) ?? '',
      })
      return {
        claim: async lane => {
          const claim = await whole.claim(lane)
          if (claim) tokens.set(claim.job.id, claim.token)
          return claim
        },
        finish: claim => whole.finish(latest(claim)),
      }
    }),
  },
  'says that every claim is kept': {
    caughtBy: 'knows no claim of another engine',
    by: inEngine(() => ({ extend: async () => true })),
  },
  'takes what waits in another lane': {
    caughtBy: 'ignores an offer of what waits or is claimed, in any lane',
    by: inEngine(whole => ({
      offer: async (lane, jobs) => {
        await whole.cancel(jobs.map(({ id }) => id))
        await whole.offer(lane, jobs)
      },
    })),
  },
  'says that it cancelled whatever was asked': {
    caughtBy: 'cancels what nobody has claimed, and says what that was',
    by: inEngine(whole => ({
      cancel: async jobs => {
        await whole.cancel(jobs)
        return [...jobs]
      },
    })),
  },
  'sorts lanes by name': {
    caughtBy: 'counts waiting jobs by lane, the one with the oldest head first',
    by: inEngine(whole => ({ counts: async () => new Map([...(await whole.counts())].sort()) })),
  },
  'drains a page of what waits': {
    caughtBy: 'drains what nobody has claimed',
    by: inEngine(whole => ({ drain: async () => (await whole.drain()).slice(0, 100) })),
  },
  'reads something into a lane': {
    caughtBy: 'takes any lane by its name alone',
    by: inEngine(whole => ({ offer: (lane, jobs) => whole.offer(lane.split(':')[0] ?? '', jobs) })),
  },
  'keeps the claims of the dead': {
    caughtBy: 'keeps a claim that is extended in time, and gives one that nobody extends to the next who asks',
    by: () => ({ passTime: async () => undefined }),
  },
  'loses a claim between two extensions': {
    caughtBy: 'keeps a claim that is extended in time, and gives one that nobody extends to the next who asks',
    by: ({ passTime }) => ({ passTime: async ms => passTime?.(ms * 10) }),
  },
  'is of its process alone': {
    caughtBy: 'shows one home to all its processes',
    by: () => ({ reopen: async () => (await open()).engine }),
  },
}

t.test('the engine that init writes keeps what can be asked of it, and says what cannot', async t => {
  const states = new Map<string, number>()
  for await (const { state, name, reason } of runChecks(engineChecks(open))) {
    states.set(state, (states.get(state) ?? 0) + 1)
    t.not(state, 'fail', `${name} ${reason ?? ''}`)
  }
  t.equal(states.get('skip'), 2, 'it has no second process')
})

for (const [fault, { caughtBy, by }] of Object.entries(broken))
  t.test(`an engine that ${fault} is caught by "${caughtBy}"`, async t => {
    t.strictSame(await statesOf(caughtBy, whole => whole), [caughtBy.includes('processes') ? 'skip' : 'pass'])
    t.strictSame(await statesOf(caughtBy, whole => ({ ...whole, ...by(whole) })), ['fail'])
  })

async function statesOf(name: string, change: (whole: EngineSubject) => EngineSubject): Promise<string[]> {
  const checks = engineChecks(async () => change(await open())).filter(each => each.name === name)
  const states: string[] = []
  for await (const { state } of runChecks(checks, 3000)) states.push(state)
  return states
}
