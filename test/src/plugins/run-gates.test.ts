import { strict as assert } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Gate, GatePlugin } from '../../../src/plugins/contract.js'
import { openGates } from '../../../src/plugins/run-gates.js'
import { facts, picture } from './gate-facts.js'
import { pluginOf, silent } from './plugin-home.js'

async function gatesOf(gates: Record<string, Gate | (() => Gate)>, limitMs?: number) {
  const plugins = Object.entries(gates).map(([name, gate]) => {
    const open = typeof gate === 'function' ? gate : () => gate
    const plugin: GatePlugin = { kind: 'gate', name, version: '1.0.0', options: {}, open }
    return pluginOf(plugin)
  })
  const opened = await openGates({ plugins, leftOut: [] }, { log: silent, ...(limitMs !== undefined && { limitMs }) })
  assert(opened)
  return opened
}
const refuse = (reason: string) => ({ verdict: 'refuse', reason }) as const

t.test('without a gate there is nothing to ask', async t => {
  t.equal(await openGates({ plugins: [], leftOut: [] }, { log: silent }), undefined)
})

t.test(
  'gates are asked in the order of their names, and each sees what the one before has made of the words',
  async t => {
    const seen: string[] = []
    const gates = await gatesOf({
      b: {
        beforeDispatch: ({ positive, negative }) => {
          seen.push(positive[0]?.text ?? '', negative[0]?.text ?? '')
          return { verdict: 'redact', words: [{ from: 'blue hat', to: '$& hat' }], reason: 'hats' }
        },
      },
      a: {
        beforeDispatch: async () => ({ verdict: 'redact', words: [{ from: 'red', to: 'blue' }], reason: 'colours' }),
      },
      c: { beforeCommit: () => ({ verdict: 'pass' }) },
    })
    const redaction = await gates.beforeDispatch(facts)
    t.strictSame(seen, ['a blue coat, a blue hat', 'blue'])
    t.equal(redaction?.('a red coat, a red hat'), 'a blue coat, a $& hat', 'words are taken as they are')
    t.strictSame(await gates.beforeCommit(picture), { verdict: 'pass' })
  },
)

t.test('a refusal says whose it is, and its reason keeps no personal data', async t => {
  const gates = await gatesOf({ a: { beforeDispatch: () => refuse('it names jo@example.com') } })
  await t.rejects(gates.beforeDispatch(facts), {
    code: 'GATE_REFUSED',
    details: { gate: 'gate-a', reason: 'it names [email]' },
  })
})

t.test('a reason that is cut keeps no half of personal data', async t => {
  for (let before = 285; before < 300; before++) {
    const gates = await gatesOf({ a: { beforeDispatch: () => refuse(`${'x '.repeat(before / 2)}jo@example.com`) } })
    await t.rejects(gates.beforeDispatch(facts), { code: 'GATE_REFUSED', details: { reason: /^[^@]{1,300}$/ } })
  }
})

const faulty: Record<string, Gate> = {
  throws: { beforeDispatch: () => Promise.reject(new RangeError('broken')) },
  'throws at once': {
    beforeDispatch: () => {
      throw new RangeError('broken')
    },
  },
  'answers nothing': { beforeDispatch: () => undefined as never },
  'answers a word': { beforeDispatch: () => 'pass' as never },
  'refuses without a reason': { beforeDispatch: () => ({ verdict: 'refuse' }) as never },
  'redacts nothing': { beforeDispatch: () => ({ verdict: 'redact', words: [], reason: 'none' }) },
  'redacts everything': {
    beforeDispatch: () => ({ verdict: 'redact', words: [{ from: '', to: 'x' }], reason: 'all' }),
  },
}
for (const [title, gate] of Object.entries(faulty))
  t.test(`a gate that ${title} lets nothing through, and is named`, async t => {
    const gates = await gatesOf({ faulty: gate })
    await t.rejects(gates.beforeDispatch(facts), {
      code: 'PLUGIN_HOOK_FAILED',
      details: { plugin: 'gate-faulty', hook: 'beforeDispatch' },
    })
  })

t.test(
  'a gate that hangs lets nothing through, is not waited for twice, and is asked again once it has answered',
  async t => {
    let answer: (value: { verdict: 'pass' }) => void = () => undefined
    let calls = 0
    const beforeDispatch = () => {
      calls++
      return calls > 1
        ? ({ verdict: 'pass' } as const)
        : new Promise<{ verdict: 'pass' }>(resolve => (answer = resolve))
    }
    const gates = await gatesOf({ slow: { beforeDispatch } }, 30)
    await t.rejects(gates.beforeDispatch(facts), { code: 'PLUGIN_HOOK_FAILED', message: /no answer within 30 ms/ })
    await t.rejects(gates.beforeDispatch(facts), { code: 'PLUGIN_HOOK_FAILED', message: /it hangs/ })
    t.equal(calls, 1)
    answer({ verdict: 'pass' })
    await sleep(1)
    t.equal(await gates.beforeDispatch(facts), undefined)
  },
)

t.test('a gate that cannot be opened, or was left out, lets nothing through', async t => {
  const gates = await gatesOf({
    shut: () => {
      throw new RangeError('no licence file')
    },
  })
  await t.rejects(gates.beforeDispatch(facts), { code: 'PLUGIN_HOOK_FAILED', message: /no licence file/ })
  const leftOut = { name: 'gate-lost', from: 'home', reason: 'It cannot be loaded' } as const
  const lost = await openGates({ plugins: [], leftOut: [leftOut] }, { log: silent })
  assert(lost)
  await t.rejects(lost.beforeDispatch(facts), { code: 'PLUGIN_HOOK_FAILED', message: /gate-lost/ })
  t.match(await lost.beforeCommit(picture), { verdict: 'hold', reason: /cannot be loaded/ })
  const others = [{ ...leftOut, name: 'styles-lost' }]
  t.equal(await openGates({ plugins: [], leftOut: others }, { log: silent }), undefined)
})

t.test('the first verdict on a picture counts, and a faulty gate holds it', async t => {
  const gates = await gatesOf({
    a: { beforeCommit: ({ bytes }) => (bytes.length > 100 ? refuse('large') : { verdict: 'pass' }) },
    b: { beforeCommit: () => ({ verdict: 'hold', reason: 'look at it' }) },
    c: { beforeCommit: () => refuse('never asked') },
  })
  t.strictSame(await gates.beforeCommit(picture), { verdict: 'hold', reason: 'Gate gate-b: look at it' })
  t.match(await gates.beforeCommit({ ...picture, bytes: Buffer.alloc(200) }), { verdict: 'refuse', reason: /large/ })
  const broken = await gatesOf({ a: { beforeCommit: () => Promise.reject(new RangeError('broken')) } })
  t.match(await broken.beforeCommit(picture), { verdict: 'hold', reason: /beforeCommit: broken/ })
})

t.test('closing gates waits for none that hangs', async t => {
  let isClosed = false
  const gates = await gatesOf(
    {
      a: { close: () => new Promise(() => undefined) },
      b: {
        close: () => {
          isClosed = true
        },
      },
    },
    30,
  )
  await gates.close()
  t.ok(isClosed)
})
