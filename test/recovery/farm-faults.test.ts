import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { filesUnder } from './check-home.js'
import { type FarmCase, type FarmFacts, renderOn } from './farm-faults.js'
import { startDraft, startDraftHere, until } from './processes.js'

t.jobs = 2
t.setTimeout(240_000)
const folder = t.testdir()
let cases = 0

async function render(t: Test, farm: FarmCase, start = startDraftHere): Promise<FarmFacts> {
  const found = await renderOn(join(folder, String(++cases)), farm, start)
  t.strictSame(found.facts.problems, [], found.said)
  t.comment(`${found.facts.attempts} attempts, renders ${JSON.stringify(found.renders)}`)
  return found
}

const fast = { options: { faults: { jobMs: 40 } } }
const checkpoint = 'v1-5-pruned-emaonly-fp16.safetensors'

t.test('every server gets what it can do in its time', async t => {
  // Slow enough that the work of the foundry beside it weighs little.
  const [quick, slow] = [120, 600].map(jobMs => ({ options: { faults: { jobMs } } }))
  if (!quick || !slow) return
  const { code, renders } = await render(t, { slots: 30, members: [quick, quick, slow], extra: 0 })
  t.equal(code, 0)
  t.ok((renders['gpu3'] ?? 0) >= 2, 'the slow one works')
  t.ok((renders['gpu3'] ?? 0) < Math.min(renders['gpu1'] ?? 0, renders['gpu2'] ?? 0), 'but has fewer')
})

t.test('a job that waits behind a slow one is taken back and rendered where it is faster', async t => {
  const slow = { options: { faults: { jobMs: 6000 } } }
  const { code, renders, ended } = await render(t, { slots: 12, members: [fast, slow], extra: 0 })
  t.equal(code, 0)
  t.equal(renders['gpu2'], 1, 'only what it had begun')
  t.ok(
    ended.every(({ outcome }) => outcome === 'withdrawn'),
    'nothing else ended an attempt',
  )
  t.ok(ended.length > 0)
})

t.test('what a server had that went away for good is rendered elsewhere after its grace', async t => {
  const farm: FarmCase = {
    slots: 20,
    members: [fast, { ...fast, entry: { graceSeconds: 1 } }],
    extra: 3,
    meanwhile: async ([, second], done) => {
      await done(4)
      await second?.kill()
    },
  }
  const { code, renders } = await render(t, farm, startDraft)
  t.equal(code, 0)
  t.ok((renders['gpu1'] ?? 0) >= 10)
})

t.test('a picture that a server made while nobody heard it counts, or is kept', async t => {
  const lone = { options: { faults: { jobMs: 1500 } }, entry: { graceSeconds: 1, timeoutSeconds: 1 }, wire: {} }
  const { code, facts, ended } = await render(t, {
    slots: 16,
    members: [{ options: { faults: { jobMs: 500 } } }, lone],
    extra: 3,
    meanwhile: async ([, second], done, home) => {
      await done(2)
      second?.wire?.cut()
      const journal = join(home, '.foundry', 'journal')
      await until('its attempts to be given up', () =>
        filesUnder(journal).some(file => readFileSync(join(journal, file), 'latin1').includes('"unreachable"')),
      )
      second?.wire?.heal()
    },
  })
  t.equal(code, 0)
  t.ok(
    ended.some(({ outcome }) => outcome === 'unreachable'),
    'it was waited for no longer than its grace',
  )
  // One that was taken back from a queue was no try.
  const tries = new Map<number, number>()
  const count = (slot: number, more: number) => tries.set(slot, (tries.get(slot) ?? 0) + more)
  for (const event of facts.journal) {
    if (event.kind === 'attempt-leased') count(event.slot, 1)
    if (event.kind === 'attempt-ended' && event.outcome === 'withdrawn') count(event.slot, -1)
  }
  t.ok(Math.max(...tries.values()) <= 2, JSON.stringify(ended))
})

t.test('a server that fails everything gets three jobs, and the others do the work', async t => {
  const hole = { options: { faults: { jobMs: 20, failRate: 1 } } }
  const { code, ended } = await render(t, { slots: 30, members: [fast, hole, fast], extra: 0 })
  t.equal(code, 0)
  const failed = ended.filter(({ outcome }) => outcome !== 'withdrawn')
  t.ok(failed.length >= 3 && failed.length <= 5, `${failed.length} failures`)
  t.ok(failed.every(({ server }) => server === 'gpu2'))
})

t.test('a server that lacks a model is left out, told once, and the others do the work', async t => {
  const real = (names: string[]) => ({
    options: {
      isDisguised: true,
      models: { checkpoints: Object.fromEntries(names.map(name => [name, { sizeBytes: 9 }])) },
      faults: { jobMs: 20, prepared: false },
    },
    entry: { options: {} },
  })
  const { code, renders, ended, said } = await render(t, {
    slots: 8,
    members: [real([]), real([checkpoint])],
    extra: 0,
  })
  t.equal(code, 0, said)
  t.strictSame(renders, { gpu1: 0, gpu2: 8 })
  t.strictSame(ended, [])
})

t.test('what no server has fails once, with what each lacks', async t => {
  const bare = { options: { isDisguised: true, models: { checkpoints: {} } }, entry: { options: {} } }
  const { code, facts, renders } = await render(t, { slots: 20, members: [bare, bare], extra: 0 })
  t.equal(code, 1)
  t.match(facts, { failed: 20, attempts: 0 })
  t.strictSame(renders, { gpu1: 0, gpu2: 0 })
  const reasons = facts.journal.flatMap(event => (event.kind === 'slot-failed' ? [event.reason] : []))
  t.match(reasons[0], /gpu1: .*gpu2: /s)
})

for (const [what, faults, outcome] of [
  ['fails on three servers', { failOn: '"seed":13,' }, 'node-error'],
  ['takes three servers down', { crashOn: '"seed":13,' }, 'crashed'],
] as const) {
  t.test(`a job that ${what} fails, and its neighbours are rendered`, async t => {
    // Long enough that no job ends before its server has died.
    const poisoned = { options: { faults: { jobMs: 150, ...faults } } }
    const { code, facts, ended } = await render(t, {
      slots: 12,
      seeds: [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22],
      members: [poisoned, poisoned, poisoned, poisoned],
      extra: 12,
    })
    t.equal(code, 1)
    t.match(facts, { done: 11, failed: 1 })
    const failed = ended.filter(each => each.outcome === outcome)
    t.strictSame([...new Set(failed.map(({ slot }) => slot))], [2], 'no neighbour was blamed')
    t.equal(new Set(failed.map(({ server }) => server)).size, 3)
    t.equal(failed.length, 3)
  })
}
