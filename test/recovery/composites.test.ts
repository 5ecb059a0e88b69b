import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { isTemporary } from '../../src/files/durable.js'
import { foundry as foundryHere, foundryJson } from '../cli/foundry.js'
import { checkHome } from './check-home.js'
import { makeHome, writeOrder } from './make-home.js'
import { foundry, rendersOf, startDraftHere } from './processes.js'

/** A composite and its trace survive their maker, and come back when somebody deletes them. */
t.setTimeout(120_000)
const place = t.testdir()
const draft = await startDraftHere(join(place, 'ledger.jsonl'), { faults: { prepared: true } })
t.teardown(() => draft.kill())

const steps = [[], ['tiny.png'], ['tiny.png', 'tiny.trace.json']]

t.test('killed at any step of a composite, a run is ended by the next process', async t => {
  const home = join(place, 'killed')
  makeHome(home, { slots: 0, serverUrl: draft.url, composites: true })
  const orders: string[] = []
  for (const [at, left] of steps.entries()) {
    const order = writeOrder(home, `step-${at + 1}`, 1, at)
    const failpoints = `composite=kill@${at + 1}`
    const killed = foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: failpoints })
    t.equal(await killed.ended, 'SIGKILL', failpoints)
    t.strictSame(compositesIn(home, `step-${at + 1}`), left, failpoints)
    orders.push(order)
  }
  t.equal((await foundryHere(['render', ...orders], { cwd: home })).code, 0)
  const { problems, done } = await checkHome(home)
  t.strictSame({ problems, done }, { problems: [], done: steps.length })
  for (const run of readdirSync(join(home, 'runs')))
    t.match(await foundryHere(['verify', run], { cwd: home }), { code: 0 }, run)
})

/** Under their final names. */
function compositesIn(home: string, name: string): string[] {
  const run = readdirSync(join(home, 'runs')).find(each => each.startsWith(name)) ?? ''
  return readdirSync(join(home, 'runs', run, 'composites', 'pip')).filter(each => !isTemporary(each))
}

t.test('a composite or trace that was deleted or emptied is made again, by render or by retry', async t => {
  const home = join(place, 'deleted')
  mkdirSync(home)
  const order = makeHome(home, { slots: 2, seeds: [7, 8], serverUrl: draft.url, composites: true })
  const call = { cwd: home }
  const { answer } = await foundryJson<{ runs: { run: string; folder: string }[] }>(['render', order], call)
  const [{ run = '', folder = '' } = {}] = answer.runs
  const composites = join(folder, 'composites', 'pip')
  const names = ['tiny-0001.png', 'tiny-0001.trace.json', 'tiny-0002.png', 'tiny-0002.trace.json']
  const before = names.map(name => readFileSync(join(composites, name)))
  const rendered = rendersOf(draft.ledgerFile).length
  const cases = [
    { lose: (name: string) => rmSync(join(composites, name)), words: ['render', order] },
    { lose: (name: string) => truncateSync(join(composites, name)), words: ['runs', 'retry', run] },
  ]
  for (const { lose, words } of cases)
    for (const [at, name] of names.slice(0, 2).entries()) {
      lose(name)
      t.match(await foundryHere(['verify', run], call), { code: 1, out: new RegExp(`✘ composites/pip/${name}`) })
      const planned = await foundryHere(['plan', order], call)
      t.match(planned.out, new RegExp(`lacks or has changed files of 1 composite \\(composites/pip/${name}\\)`))
      const { code, err } = await foundryHere(words, call)
      t.equal(code, 0, `${name}, ${words.join(' ')}: ${err}`)
      t.strictSame(readFileSync(join(composites, name)), before[at])
      t.match(await foundryHere(['verify', run], call), { code: 0 }, `${name}, ${words.join(' ')}`)
    }
  rmSync(composites, { recursive: true })
  t.equal((await foundryHere(['render', order], call)).code, 0)
  t.strictSame(
    names.map(name => readFileSync(join(composites, name))),
    before,
    'the same bytes',
  )
  t.equal(rendersOf(draft.ledgerFile).length, rendered, 'no picture is rendered for that')
  t.match(await foundryHere(['runs', 'retry', run], call), { code: 2 }, 'nothing is left to be tried again')
})
