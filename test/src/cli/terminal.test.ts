import t from 'tap'
import { createTerminal, type Sink, table } from '../../../src/cli/terminal.js'
import { watchProgress } from '../../../src/cli/progress.js'
import { failure } from '../../../src/errors.js'

function sink(isTTY: boolean): Sink & { text: string } {
  return {
    isTTY,
    columns: 40,
    text: '',
    write(text) {
      this.text += text
    },
  }
}

function terminal({ json = false, colour = true, outTTY = false, errTTY = false }) {
  const streams = { out: sink(outTTY), err: sink(errTTY) }
  return { ...streams, terminal: createTerminal({ json, colour }, streams) }
}

const problem = { severity: 'error', code: 'X', file: 'a.yaml', line: 2, message: 'is wrong' } as const

t.test('results go to stdout, everything else to stderr', async t => {
  const { terminal: tell, out, err } = terminal({})
  tell.say('done')
  tell.answer({ no: 'answer' })
  tell.note('by the way')
  tell.problems([problem])
  tell.live('half')
  t.equal(out.text, 'done\n')
  t.equal(err.text, 'by the way\nerror a.yaml:2: is wrong\n')
})

t.test('in JSON mode stdout holds one document, of failures too', async t => {
  const { terminal: tell, out, err } = terminal({ json: true, outTTY: true, errTTY: true })
  tell.say('done')
  tell.live('half')
  tell.fail(failure('RUN_UNKNOWN', { run: 'x' }))
  t.match(JSON.parse(out.text), { error: { code: 'RUN_UNKNOWN', details: { run: 'x' } } })
  t.equal(err.text, '')
  const other = terminal({ json: true })
  other.terminal.fail(new TypeError('broken'))
  t.match(JSON.parse(other.out.text), { error: { code: 'FOUNDRY_FAILED', message: 'broken' } })
})

t.test('colours only where the stream itself is a terminal, and colours are wanted', async t => {
  const cases = [
    { outTTY: true, errTTY: true, colour: true, out: true, err: true },
    { outTTY: false, errTTY: true, colour: true, out: false, err: true },
    { outTTY: true, errTTY: false, colour: true, out: true, err: false },
    { outTTY: true, errTTY: true, colour: false, out: false, err: false },
  ]
  for (const { out: outIs, err: errIs, ...options } of cases) {
    const { terminal: tell, out, err } = terminal(options)
    tell.say(tell.paint('green', 'fine'))
    tell.fail(failure('DROP_INVALID', { drop: 'a.yaml', problems: [problem] }))
    const title = JSON.stringify(options)
    t.equal(out.text.includes('\u001b['), outIs, title)
    t.equal(err.text.includes('\u001b['), errIs, title)
    t.match(err.text, /a\.yaml is refused:\n.*a\.yaml:2: is wrong/, title)
  }
})

t.test('a live line fits its terminal and gives way to others', async t => {
  const { terminal: tell, err } = terminal({ errTTY: true })
  tell.live('x'.repeat(100))
  t.equal(err.text, `\r${'x'.repeat(39)}`)
  tell.note('words')
  t.ok(err.text.endsWith(`\r${' '.repeat(39)}\rwords\n`))
})

t.test('progress is a line per tenth where nobody looks, a bar where somebody does', async t => {
  const slots = (done: number, failed = 0) => [{ slots: 20, skipped: 0, done, failed }]
  const quiet = terminal({})
  const progress = watchProgress(quiet.terminal)
  for (const done of [0, 1, 2, 2, 3, 20]) progress.counts(slots(done))
  progress.end()
  t.match(quiet.err.text, /^0 of 20 .*\n2 of 20 .*\n20 of 20 pictures after \d+ s\n$/)
  const live = terminal({ errTTY: true })
  watchProgress(live.terminal).counts(slots(10, 1))
  t.match(live.err.text, /█{12}░{12} 10\/20/)
  const json = terminal({ json: true })
  watchProgress(json.terminal).counts(slots(10))
  t.equal(json.err.text + json.out.text, '')
})

t.test('tables align by the longest cell', async t => {
  t.equal(
    table([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
    'a    bb\nccc  d',
  )
  t.equal(table([]), '')
})
