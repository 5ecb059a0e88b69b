import t from 'tap'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerEntry } from '../../plugins/provider-comfyui/draft-server/ledger.js'
import { packageRoot } from '../../src/config/package-root.js'
import { accountFor } from '../bench/peers/account.js'
import { prepareMsMax, race } from '../bench/peers/race.js'
import { jobsOf, type Scenario } from '../bench/peers/scenarios.js'

const scenario: Scenario = {
  name: 'small',
  says: 'two servers, six jobs, two LoRAs',
  jobs: 6,
  slowness: [1, 1],
  jobMs: 20,
  loras: 2,
  loraLoadMs: 30,
  faults: {},
  kills: false,
  ratioMax: 1,
  switchesMax: undefined,
  warmUpJobs: 6,
}

function entry(prefix: string, serviceMs: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    promptId: prefix,
    graphSha256: '',
    prefix,
    startedAt: 0,
    serviceMs,
    outcome: 'success',
    outputs: [],
    ...more,
  }
}

t.test('the account of a race counts renders, loads and the time of an ideal farm', async t => {
  const ledgers = [
    [entry('a', 1000, { loadMs: 800 }), entry('b', 200)],
    [entry('c', 400), entry('d', 300, { outcome: 'error' })],
  ]
  t.strictSame(accountFor(ledgers, { slowness: [1, 2], loras: 1, loraLoadMs: 800 }), {
    renders: 3,
    again: 0,
    switches: 1,
    // 600 ms of work for a server of full speed, and one load, by one and a half of them.
    idealMs: (600 + 800) / 1.5,
  })
})

t.test('a second render counts against the client, unless the first lay on a server that died', async t => {
  const ledgers = [[entry('a', 1), entry('b', 1, { slot: 's' })], [entry('a', 1)], [entry('x', 1, { slot: 's' })]]
  const plain = { slowness: [1, 1, 1], loras: 0, loraLoadMs: 0 }
  t.equal(accountFor(ledgers, plain).again, 2)
  t.equal(accountFor(ledgers, plain, server => server !== 0).again, 0)
})

t.test('every LoRA has as many jobs, in the same shuffled order each time', async t => {
  const jobs = jobsOf({ ...scenario, jobs: 240, loras: 12 })
  t.strictSame(jobs, jobsOf({ ...scenario, jobs: 240, loras: 12 }))
  for (let lora = 0; lora < 12; lora++) t.equal(jobs.filter(each => each.lora === lora).length, 20)
  const changes = jobs.filter((each, at) => each.lora !== jobs[at - 1]?.lora).length
  t.ok(changes > 200, `${changes} changes from one job to the next`)
})

for (const contestant of ['ours', 'one at a time per server'] as const) {
  t.test(`a small race of ${contestant} ends with every picture once`, async t => {
    const outcome = await race(contestant, scenario, '')
    t.match(outcome, { done: 6, failed: 0, pictures: 6, renders: 6, again: 0 })
    t.ok(outcome.switches >= 2, `${outcome.switches} switches`)
    t.ok(Number(outcome.makespanMs) >= outcome.idealMs, `${outcome.makespanMs} ms of ${outcome.idealMs} ms`)
    t.ok(outcome.requests >= 12 && Number(outcome.cpuMs) > 0)
  })
}

t.test('a contestant that cannot begin is told with its reason', async t => {
  const begin = performance.now()
  const outcome = await race('ComfyPool zero', scenario, join(t.testdir({}), 'nothing'))
  t.match(outcome, { trouble: /^ended by itself with 1: .*nothing/, pictures: 0 })
  t.ok(performance.now() - begin < prepareMsMax, 'it is not waited for')
})

t.test('the other clients are locked, exactly, and by no address', async t => {
  const read = async (name: string) => await readFile(join(packageRoot, 'test', 'bench', 'peers', name), 'utf8')
  const { dependencies } = JSON.parse(await read('package.json')) as { dependencies: Record<string, string> }
  for (const [name, version] of Object.entries(dependencies)) t.match(version, /^\d+\.\d+\.\d+$/, name)
  t.notMatch(await read('package-lock.json'), /"resolved"/)
})
