import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { foundry, foundryJson } from '../cli/foundry.js'
import { tinyTemplates } from '../tiny-templates.js'
import { eventually, startDaemon } from './start-daemon.js'

t.setTimeout(120_000)
const style = (name: string, sliders: string) => `$schema: style/1\nname: ${name}\nsliders:\n${sliders}`
const noir = `  noir:
    left: { label: Daylight, words: [bright daylight] }
    right: { label: Noir, words: [film noir lighting] }
`
/** No label on line 5. */
const faulty = '  fog:\n    left: { words: [clear air] }\n    right: { label: Fog }\n'

interface Listed {
  runs: { run: string; key: string; state: string; counts: Record<string, number> }[]
}

t.test('a style that is dropped into a running daemon is used by new runs, and a faulty one harms nothing', async t => {
  const home = t.testdir({ templates: tinyTemplates, plugins: {}, incoming: {} })
  const daemon = await startDaemon(home, {
    templates: ['tiny'],
    servers: [{ name: 'draft', url: 'draft', depth: 1, options: { jobMs: 600 } }],
  })
  t.teardown(() => daemon.kill('SIGKILL'))
  const drop = (id: string, sliders: Record<string, number>) => {
    const hidden = join(daemon.manifests, `.${id}.json`)
    writeFileSync(hidden, JSON.stringify({ dot_id: id, version: '1.0.0', sliders }))
    renameSync(hidden, join(daemon.manifests, `${id}.json`))
  }
  const dropStyle = (name: string, text: string) => {
    mkdirSync(join(home, 'incoming', name))
    writeFileSync(join(home, 'incoming', name, 'style.yaml'), text)
    renameSync(join(home, 'incoming', name), join(home, 'plugins', name))
  }
  const runOf = async (key: string) => (await daemon.get<Listed>('/runs')).runs.find(each => each.key === `${key}.json`)
  const done = async (key: string) => {
    const run = await eventually(`${key} to be done`, async () => {
      const found = await runOf(key)
      return found?.state === 'done' ? found : undefined
    })
    const trace = readFileSync(join(home, 'runs', run.run, `images/${key}/tiny-0001.trace.json`), 'utf8')
    return JSON.parse(trace) as {
      request: { sliders: object; positive: { text: string; source: string }[]; plugins: string[] }
      result: { attempts: object[] }
    }
  }

  drop('before', { mecha: 0.2 })
  await eventually('a running job', async () => (await runOf('before'))?.counts['running'] === 1 || undefined)
  dropStyle('styles-noir', style('noir', noir))

  const sliders = await foundryJson<{ sliders: { slider: string }[] }>(['talents', 'sliders'], { cwd: home })
  t.ok(
    sliders.answer.sliders.some(({ slider }) => slider === 'noir'),
    'seen at once',
  )
  writeFileSync(join(home, 'kit.json'), JSON.stringify({ dot_id: 'kit', version: '1.0.0', sliders: { noir: 1 } }))
  const plan = async () => {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ paths: ['kit.json'] })
    const answer = await (await fetch(`${daemon.url}/plan`, { method: 'POST', headers, body })).json()
    return (answer as { refused: object[] }).refused.length === 0 || undefined
  }
  // The library is read again when it is older than two seconds.
  await eventually('the daemon to know the style', plan, 5000)
  drop('after', { noir: 0.9 })
  const after = await done('after')
  t.match(after.request.sliders, { noir: 0.9 })
  t.ok(after.request.positive.some(({ text, source }) => text === 'film noir lighting' && source.includes('noir')))
  t.ok(
    after.request.plugins.some(name => name.startsWith('styles-noir@')),
    'the trace names the plugin',
  )
  const before = await done('before')
  t.strictSame(before.request.sliders, { mecha: 0.2 }, 'what was running is as it was')
  t.notOk(before.request.plugins.some(name => name.startsWith('styles-noir@')))
  t.equal(before.result.attempts.length, 1)

  dropStyle('styles-fog', style('fog', faulty))
  const told = await foundry(['talents', 'sliders'], { cwd: home })
  t.match(told.err, /styles-fog\/style\.yaml:5:\d+: sliders\.fog\.left/)
  t.match(told.out, /^noir +Daylight +Noir$/m, 'the others are listed')
  drop('fog', { fog: 1 })
  const refusal = join(daemon.manifests, 'fog.json.problems.json')
  await eventually('the refusal', () => existsSync(refusal) || undefined)
  t.match(readFileSync(refusal, 'utf8'), /SLIDER_UNKNOWN/)
  drop('mecha', { mecha: 0.2, noir: 0.9 })
  t.match((await done('mecha')).request.sliders, { mecha: 0.2, noir: 0.9 }, 'new runs go on')
  await eventually('the log to tell it', async () => {
    // The library is read for a run or a plan alone.
    await plan()
    return (
      daemon.log().some(({ msg, problem }) => msg === 'library' && /style\.yaml:5:/.test(String(problem))) || undefined
    )
  })
  const lines = daemon.log().filter(({ problem }) => /style\.yaml:5:/.test(String(problem)))
  t.equal(lines.length, 1, 'once')
  t.equal(await daemon.kill(), 0)
})
