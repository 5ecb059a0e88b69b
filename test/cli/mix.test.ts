import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ExplainedMix } from '../../src/operations/explain-mix.js'
import { foundry, foundryJson } from './foundry.js'

const home = join(t.testdir({}), 'home')
await foundry(['init', home], { cwd: '/' })
const call = { cwd: home }
const mix = (...words: string[]) => foundryJson<ExplainedMix & { file?: string }>(['mix', ...words], call)

t.test('mix shows every weight and word with its source, and needs no server', async t => {
  const { code, answer } = await mix('aurora', '--set', 'mecha=0.2', '--finish', 'gloss')
  t.equal(code, 0)
  t.match(answer, { persona: 'aurora', template: 'hero-portrait', view: 'front', family: 'sd15' })
  t.equal(answer.file, join(home, 'manifests/aurora.yaml'))
  t.match(answer.sliders, [
    { slider: 'mecha', position: 0.2, from: 'asked', left: { label: 'Mecha', weight: 0.6 }, right: { weight: 0 } },
    { slider: 'animal', position: 0.65, from: 'persona', right: { label: 'Animal', weight: 0.3 } },
  ])
  t.match(answer.weights, [
    { talent: 'avatar.identity.dot_aurora', raw: 1, defaultWeight: 0.9, effective: 0.9, draft: true },
    { talent: 'avatar.style.animal', raw: 0.3, weighted: 0.24, effective: 0.24 },
    { talent: 'avatar.style.mecha', raw: 0.6, source: 'slider mecha at 0.2 (curve v)', effective: 0.48 },
  ])
  t.strictSame(answer.budget, { max: 1.5, asked: 0.72 })
  t.ok(answer.positive.fragments.some(({ source, text }) => source === 'finish gloss' && text.includes('glossy')))
  t.equal(answer.positive.prompt, answer.positive.fragments.map(({ text }) => text).join(', '))
  t.match(answer.positive.dropped, [{ source: 'tone humour', reason: /neither low/ }])
  t.ok(answer.negative.dropped.some(({ reason }) => reason.startsWith('said already by talent avatar.identity')))
  t.notOk(existsSync(join(home, '.foundry')), 'nothing is written')

  const { out } = await foundry(['mix', 'aurora', '--set', 'creature=1', '--set', 'abstract=1'], call)
  t.match(out, /^mecha +1 +asked +v +Mecha 0 +Creature 1$/m)
  t.match(out, /^avatar\.style\.abstract +1 +× 0\.8 = 0\.8 +0\.75 +slider animal at 0 \(curve v\)$/m)
  t.match(out, /styles ask for 1\.6 of a budget of 1\.5, so all are scaled down alike/)
  t.match(out, /^finish flat +flat colours, no gradients$/m)
  t.match(out, /^not said: .*\(talent avatar\.style\.\w+: said already by talent avatar\.identity\.dot_aurora\)$/m)
})

t.test('mix finds a persona by file, by id, or by its talent alone', async t => {
  await writeFile(join(home, 'kit.json'), JSON.stringify({ dot_id: 'nova', version: '1.0.0' }))
  t.match(await mix('kit.json'), { code: 0, answer: { persona: 'nova' } })
  t.match(await mix('avatar.identity.dot_aurora'), { code: 0, answer: { persona: 'aurora' } })
  await writeFile(join(home, 'manifests/second.json'), JSON.stringify({ dot_id: 'aurora', version: '2.0.0' }))
  t.match((await mix('aurora')).err, /second\.json has the same dot_id/)
  const bare = join(t.testdir({}), 'bare')
  await foundry(['init', bare], { cwd: '/' })
  await rm(join(bare, 'manifests'), { recursive: true })
  const { code, answer } = await foundryJson<ExplainedMix>(['mix', 'aurora'], { cwd: bare })
  t.equal(code, 0)
  t.match(answer, { persona: 'aurora', file: undefined, weights: [{ talent: 'avatar.identity.dot_aurora' }] })
})

const refused: Record<string, [words: string[], err: RegExp]> = {
  'an unknown persona': [['auror'], /No persona is called "auror": did you mean "aurora"\?/],
  'an unknown slider': [['aurora', '--set', 'mech=1'], /No style defines the slider "mech": did you mean "mecha"\?/],
  'an unknown pole': [['aurora', '--set', 'creatur=1'], /did you mean "Creature"\?/],
  'a slider set twice': [['aurora', '--set', 'mecha=1', '--set', 'creature=1'], /The slider "mecha" is set twice/],
  'an unknown template': [['aurora', '--template', 'ful-body'], /did you mean "full-body"\?/],
  'an unknown view': [['aurora', '--view', 'back'], /no such view.*allowed: front/],
  'several positions': [['aurora', '--set', 'mecha=0,1'], /several positions/],
  'an order': [['manifests/orders/aurora-sweep.yaml'], /is a render order: name one persona kit/],
  'a kit with mistakes': [['bad.yaml'], /bad\.yaml:1/],
  'a file that is not there': [['gone.yaml'], /there is no .*gone\.yaml/],
}
await writeFile(join(home, 'bad.yaml'), 'dot_id: 7\nversion: 1.0.0\n')
for (const [title, [words, err]] of Object.entries(refused))
  t.test(`mix refuses ${title}`, async t => t.match(await foundry(['mix', ...words], call), { code: 2, err }))

t.test('mix and render name the faulty file of a slider that they do not know', async t => {
  const plugin = join(home, 'plugins/styles-fog')
  await mkdir(plugin)
  await writeFile(
    join(plugin, 'style.yaml'),
    'name: fog\nsliders:\n  fog:\n    left: { label: Clear }\n    rigth: {}\n',
  )
  const render = ['render', 'manifests/aurora.yaml', '--draft', '--dry-run']
  for (const words of [['mix', 'aurora'], render]) {
    const { code, err } = await foundry([...words, '--set', 'fog=1'], call)
    t.equal(code, 2)
    t.match(err, /No style defines the slider "fog"/)
    t.match(err, /styles-fog\/style\.yaml:5:\d+: sliders\.fog\.rigth/)
  }
  await rm(plugin, { recursive: true })
})

t.test('poles and finishes are understood by render as by mix', async t => {
  const order = { personas: ['aurora.yaml'], templates: ['hero-portrait'], set: { creature: 0.2 } }
  await writeFile(join(home, 'manifests/order.json'), JSON.stringify(order))
  const words = ['manifests/order.json', '--draft', '--finish', 'chrome']
  const { code, answer } = await foundryJson<{ runs: { folder: string }[] }>(['render', ...words], call)
  t.equal(code, 0)
  const trace = join(answer.runs[0]?.folder ?? '', 'images/aurora/hero-portrait-0001.trace.json')
  t.match(JSON.parse(await readFile(trace, 'utf8')), {
    request: { sliders: { mecha: 0.6, animal: 0.65 }, finish: 'chrome' },
  })
})

t.test('mix tells a finish that no style knows, and sends no personal data to the screen', async t => {
  const description = 'reach me at jane@example.org'
  await writeFile(join(home, 'jane.json'), JSON.stringify({ dot_id: 'jane', version: '1.0.0', description }))
  const { out, err, code } = await foundry(['mix', 'jane.json', '--finish', 'glos'], call)
  t.equal(code, 0)
  t.match(err, /No style knows this finish: did you mean "gloss"\?/)
  t.match(err, /Personal data is replaced/)
  t.notMatch(out, /jane@example/)
})
