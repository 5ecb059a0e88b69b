import t from 'tap'
import { takeTurns } from '../../../src/files/take-turns.js'

t.test('what is done under one key follows one another, whatever became of the one before', async t => {
  const turn = takeTurns<string>()
  const said: string[] = []
  const act = (name: string, next?: Promise<void>) => async () => {
    said.push(`${name} begins`)
    await next
    said.push(`${name} ends`)
    if (name === 'bad') throw new Error('no')
    return name
  }
  let open = () => {}
  const gate = new Promise<void>(resolve => (open = resolve))
  const first = turn('a', act('bad', gate))
  const second = turn('a', act('good'))
  t.equal(await turn('b', act('other')), 'other', 'another key waits for nobody')
  open()
  await t.rejects(first, { message: 'no' })
  t.equal(await second, 'good')
  t.strictSame(said, ['bad begins', 'other begins', 'other ends', 'bad ends', 'good begins', 'good ends'])
})
