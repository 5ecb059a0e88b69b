import type { ChildProcess } from 'node:child_process'
import t from 'tap'
import { checkOptions, faultRules, optionRules } from '../../plugins/provider-comfyui/draft-server/check-options.js'
import { noFaults } from '../../plugins/provider-comfyui/draft-server/options.js'
import { draftServerOptionsHelp } from '../../src/cli/draft-server-help.js'
import { foundry, foundryApart } from './foundry.js'

t.test('the options of the draft server are all explained, each with a range that it keeps to', async t => {
  for (const name of [...Object.keys(optionRules), ...Object.keys(faultRules)])
    t.match(draftServerOptionsHelp, new RegExp(`\\b${name}\\b`), name)
  t.match((await foundry(['draft-server', '--help'], { cwd: t.testdir({}) })).out, draftServerOptionsHelp.trim())
  t.same(checkOptions({ faults: noFaults }).problems, [], 'no fault at all')
  const models = { checkpoints: { 'a.safetensors': { sizeBytes: 1, metadata: { a: 'b' } } } }
  t.same(checkOptions({ port: 0, models, isDisguised: true, jobMs: 5, faults: { failNext: 2 } }), {
    options: { port: 0, models, isDisguised: true, faults: { jobMs: 5, failNext: 2 } },
    problems: [],
  })
  const wrong: Record<string, unknown> = {
    jobMs: 'abc',
    stepMs: -1,
    failRate: 1.5,
    failNext: 0.5,
    failWith: 'rain',
    workerDead: 'yes',
    driftBy: Number.NaN,
    port: 65_536,
    version: '0.12',
    models: { checkpoints: 'all' },
    ledgerFile: 7n,
    nodes: [],
    input: {},
    faults: 3,
    constructor: 1,
  }
  t.same(
    checkOptions(wrong)
      .problems.map(({ path }) => path)
      .sort(),
    Object.keys(wrong).sort(),
  )
})

t.test('foundry draft-server names every option that is wrong, and starts nothing', async t => {
  const call = { cwd: t.testdir({}) }
  const options = (...list: string[]) => ['draft-server', ...list.flatMap(each => ['--option', each])]
  const wrong = await foundry(options('faults.jobMs=abc', 'colour=red', 'failRate=2', 'models={"a":'), call)
  t.equal(wrong.code, 2)
  for (const said of [
    /faults\.jobMs: This cannot be \(found "abc"; allowed: a number 0–2147483647\)/,
    /colour: The draft server has no such option \(allowed: port, version, models/,
    /failRate: .*found 2; allowed: a number 0–1/,
    /models: .*allowed: any, or files by folder/,
  ])
    t.match(wrong.err, said)
  t.match(await foundry(options('jobMs', '=1'), call), {
    code: 2,
    err: /"jobMs", "=1" are no options: write name=value/,
  })
})

t.test('foundry draft-server takes models as JSON, and can pass for a real server', async t => {
  let child: ChildProcess | undefined
  const models = 'models={"checkpoints":{"mine.safetensors":{"sizeBytes":1}}}'
  const ended = foundryApart(['draft-server', '--option', 'isDisguised=true', '--option', models], {
    cwd: t.testdir({}),
    started: each => (child = each),
  })
  const url = await new Promise<string>(found =>
    child?.stdout?.on('data', chunk => {
      const [at] = /http:\S+\d/.exec(String(chunk)) ?? []
      if (at) found(at)
    }),
  )
  const ask = async (path: string) => (await fetch(`${url}${path}`)).json()
  t.same(await ask('/models/checkpoints'), ['mine.safetensors'])
  t.notOk('foundry_draft' in ((await ask('/system_stats')) as { system: object }).system)
  child?.kill('SIGTERM')
  t.equal((await ended).code, 0)
})
