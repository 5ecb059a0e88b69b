import t from 'tap'
import { watchProgress } from '../../../src/cli/progress.js'
import { createTerminal } from '../../../src/cli/terminal.js'

function listen(isTTY: boolean) {
  const said = { err: '' }
  const sink = (name: 'err' | 'out') => ({
    isTTY,
    columns: 200,
    write: (text: string) => name === 'err' && (said.err += text),
  })
  const terminal = createTerminal({ json: false, colour: false }, { out: sink('out'), err: sink('err') })
  return { said, progress: watchProgress(terminal) }
}
const half = [{ slots: 10, done: 5 }]

t.test('progress tells when it ends, where that is known', async t => {
  for (const isTTY of [true, false]) {
    const known = listen(isTTY)
    known.progress.counts(half, { lowS: 40, highS: 60 })
    t.match(known.said.err, / · ends in 40–60 s/)
    const unknown = listen(isTTY)
    unknown.progress.counts(half)
    t.match(unknown.said.err, /5(\/| of )10/)
    t.notMatch(unknown.said.err, /ends/)
    const over = listen(isTTY)
    over.progress.counts([{ slots: 10, done: 10 }], { lowS: 0, highS: 1 })
    t.notMatch(over.said.err, /ends/)
  }
})
