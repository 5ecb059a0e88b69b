import { strict as assert } from 'node:assert'
import type { DispatchFacts, Gate, GatePlugin, Observer, ObserverPlugin, PictureFacts } from '../contract.js'
import type { Check } from './checks.js'
import { sampleHost } from './sample-host.js'

/** What an author says about a gate or an observer, so that it can be tried. */
export interface GateSample {
  /** As foundry.yaml would say them. */
  options?: Record<string, unknown>
  /** Words of prompts, with the verdict that is expected. */
  words?: readonly { text: string; verdict: 'pass' | 'redact' | 'refuse' }[]
}

/** The same as a schema, for what an author has written. */
export const gateSampleSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    options: { type: 'object' },
    words: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['text', 'verdict'],
        properties: { text: { type: 'string' }, verdict: { enum: ['pass', 'redact', 'refuse'] } },
      },
    },
  },
} as const

const slot = {
  run: 'sample',
  slot: 'mara/sample-front-0001',
  subject: 'mara',
  template: 'sample',
  view: 'front',
  seed: 7,
}
const answerMsMax = 5000

/** Holds a gate to what the contract says of it. */
export function gateChecks(plugin: GatePlugin, { options = {}, words = [] }: GateSample = {}): Check[] {
  const withGate = async (act: (gate: Gate) => Promise<void>) => {
    const gate = await plugin.open(options, sampleHost)
    await act(gate).finally(() => gate.close?.())
  }
  return [
    {
      name: 'open gives at least one hook',
      run: () => withGate(async ({ beforeDispatch, beforeCommit }) => assert.ok(beforeDispatch ?? beforeCommit)),
    },
    {
      name: 'beforeDispatch answers a verdict, within its time',
      run: () =>
        withGate(async gate => {
          for (const text of sampleTexts) await judge(gate, text)
        }),
    },
    {
      name: 'the same facts have the same verdict',
      run: () =>
        withGate(async gate => {
          for (const text of sampleTexts) assert.deepEqual(await judge(gate, text), await judge(gate, text))
        }),
    },
    {
      name: 'facts are not changed',
      run: () =>
        withGate(async gate => {
          const facts = factsOf(sampleTexts[0] ?? '')
          const before = JSON.stringify(facts)
          await gate.beforeDispatch?.(facts)
          assert.equal(JSON.stringify(facts), before)
        }),
    },
    {
      name: 'beforeCommit answers a verdict, within its time, and leaves the bytes alone',
      run: () =>
        withGate(async gate => {
          const bytes = Buffer.from('no picture at all')
          const facts: PictureFacts = { ...slot, renderer: 'sample', server: 'one', attempt: 1, bytes }
          if (!gate.beforeCommit) return
          const { verdict } = await inTime(async () => gate.beforeCommit?.(facts))
          assert.match(String(verdict), /^(?:pass|hold|refuse)$/)
          assert.equal(bytes.toString(), 'no picture at all')
        }),
    },
    ...words.map(({ text, verdict }) => ({
      name: `"${text}" has the verdict ${verdict}`,
      run: () => withGate(async gate => assert.equal((await judge(gate, text)).verdict, verdict)),
    })),
    { name: 'close ends', run: () => withGate(async () => undefined) },
  ]
}

/** Holds an observer to what the contract says of it. */
export function observerChecks(plugin: ObserverPlugin, { options = {} }: GateSample = {}): Check[] {
  const withObserver = async (act: (observer: Observer) => Promise<void>) => {
    const observer = await plugin.open(options, sampleHost)
    await act(observer).finally(() => observer.close?.())
  }
  return [
    { name: 'open gives told', run: () => withObserver(async ({ told }) => assert.equal(typeof told, 'function')) },
    {
      name: 'every kind of event is taken, also one that is not known yet',
      run: () =>
        withObserver(async observer => {
          for (const kind of eventKinds) await observer.told({ kind, at: 1, run: 'sample', slot: 0 })
        }),
    },
    { name: 'close ends', run: () => withObserver(async () => undefined) },
  ]
}

const sampleTexts = ['a tall keeper of a lighthouse', '', '(masterpiece:1.2), 1girl', '東京の灯台守']
const eventKinds = ['run-accepted', 'attempt-leased', 'slot-done', 'slot-failed', 'run-finished', 'not-known-yet']

function factsOf(text: string): DispatchFacts {
  return {
    ...slot,
    renderer: 'sample',
    family: 'sd15',
    workflow: 'sample',
    width: 64,
    height: 64,
    positive: [{ text, source: 'persona.description' }],
    negative: [{ text: 'blurry', source: 'style' }],
    parameters: {},
    talents: [],
  }
}

async function judge(gate: Gate, text: string): Promise<{ verdict: unknown }> {
  if (!gate.beforeDispatch) return { verdict: 'pass' }
  const answer = await inTime(async () => gate.beforeDispatch?.(factsOf(text)))
  assert.match(String(answer.verdict), /^(?:pass|redact|refuse)$/)
  if (answer.verdict !== 'pass') assert.equal(typeof answer['reason'], 'string', 'it gives a reason')
  return answer
}

async function inTime(ask: () => Promise<unknown>): Promise<Record<string, unknown> & { verdict: unknown }> {
  const begin = performance.now()
  const answer = await ask()
  assert.ok(performance.now() - begin < answerMsMax, 'it answers within 5 s')
  assert.ok(typeof answer === 'object' && answer !== null && 'verdict' in answer, 'it answers a verdict')
  return answer as Record<string, unknown> & { verdict: unknown }
}
