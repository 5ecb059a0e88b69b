import type { Logger } from 'pino'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { withinTime } from '../files/within-time.js'
import type { CommitVerdict, DispatchFacts, DispatchVerdict, Gate, PictureFacts } from './contract.js'
import type { LoadedPlugins } from './load-plugins.js'
import { shownReason } from './shown-reason.js'

/** The gates of a home, as one. */
export interface Gates {
  /** What the words of a job become. Throws GATE_REFUSED, and PLUGIN_HOOK_FAILED for a gate that fails, hangs or answers nonsense. */
  beforeDispatch(facts: DispatchFacts): Promise<Redaction | undefined>
  /** The first verdict that is not `pass`, with whose it is. A gate that fails, hangs or answers nonsense holds the picture. */
  beforeCommit(facts: PictureFacts): Promise<CommitVerdict>
  close(): Promise<void>
}

export type Redaction = (text: string) => string

interface OpenGate {
  name: string
  gate: Gate
  /** Why it is asked no more: it hangs, or could never be opened. */
  closed?: string
  /** For each answer; `Infinity` where its own process has bounds. */
  limitMs: number
}

const openLimitMs = 10_000
const answerLimitMs = 5000

/**
 * Opens the gates among the plugins, by name. One that cannot be opened stays, and lets nothing through; so does a plugin that was left
 * out and is called `gate-…`. Undefined where there is none.
 */
export async function openGates(
  { plugins, leftOut }: Pick<LoadedPlugins, 'plugins' | 'leftOut'>,
  { log, limitMs = answerLimitMs }: { log: Logger; limitMs?: number },
): Promise<Gates | undefined> {
  const gates: OpenGate[] = leftOut
    .filter(({ name }) => name.startsWith('gate-'))
    .map(({ name, reason }) => ({ name, gate: {}, limitMs, closed: `it is left out (${reason})` }))
  for (const { name, gate: plugin, options, isIsolated } of plugins) {
    if (!plugin) continue
    try {
      const opening = (async () => plugin.open(options, { log: log.child({ plugin: name }) }))()
      const gate = await withinTime(opening, isIsolated ? Infinity : openLimitMs, 'not opened')
      gates.push({ name, gate, limitMs: isIsolated ? Infinity : limitMs })
    } catch (error) {
      gates.push({ name, gate: {}, limitMs, closed: `it could not be opened (${reasonOf(error)})` })
    }
  }
  if (gates.length === 0) return undefined
  gates.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, closed } of gates)
    if (closed !== undefined) log.error({ plugin: name, reason: closed }, 'gate lets nothing through')
  return createGates(gates)
}

function createGates(gates: readonly OpenGate[]): Gates {
  return {
    async beforeDispatch(facts) {
      const words: { from: string; to: string }[] = []
      let seen = facts
      for (const each of gates) {
        const verdict = await ask(each, 'beforeDispatch', { facts: seen, isVerdict: isDispatchVerdict })
        if (verdict.verdict === 'refuse')
          throw failure('GATE_REFUSED', { gate: each.name, reason: shownReason(verdict.reason) })
        if (verdict.verdict !== 'redact') continue
        words.push(...verdict.words)
        seen = redacted(seen, toRedaction(verdict.words))
      }
      return words.length > 0 ? toRedaction(words) : undefined
    },
    async beforeCommit(facts) {
      for (const each of gates) {
        const verdict = await ask(each, 'beforeCommit', { facts, isVerdict: isCommitVerdict }).catch(
          (error: unknown): CommitVerdict => ({ verdict: 'hold', reason: reasonOf(error) }),
        )
        if (verdict.verdict !== 'pass')
          return { verdict: verdict.verdict, reason: `Gate ${each.name}: ${shownReason(verdict.reason)}` }
      }
      return { verdict: 'pass' }
    },
    async close() {
      const closing = gates.map(({ gate, limitMs }) =>
        withinTime((async () => gate.close?.())(), limitMs, 'not closed'),
      )
      await Promise.allSettled(closing)
    },
  }
}

type Hook = 'beforeDispatch' | 'beforeCommit'
type Verdict = DispatchVerdict | CommitVerdict

/** One that has hung once is not waited for again until it has answered. */
async function ask<Of extends Verdict>(
  each: OpenGate,
  hook: Hook,
  { facts, isVerdict }: { facts: object; isVerdict: (value: unknown) => value is Of },
): Promise<Of | { verdict: 'pass' }> {
  const failed = (reason: string, cause?: unknown) =>
    failure('PLUGIN_HOOK_FAILED', { plugin: each.name, hook, reason }, cause)
  if (each.closed !== undefined) throw failed(each.closed)
  const ask = each.gate[hook] as ((facts: object) => unknown) | undefined
  if (!ask) return { verdict: 'pass' }
  const answering = (async () => ask.call(each.gate, facts))()
  let isSettled = false
  const settle = () => {
    isSettled = true
  }
  answering.then(settle, settle)
  const verdict = await withinTime(answering, each.limitMs, 'no answer').catch((error: unknown) => {
    if (!isSettled) waitAside(each, answering)
    // It says already whose it is.
    if (error instanceof FoundryError && error.code === 'PLUGIN_HOOK_FAILED') throw error
    throw failed(shownReason(reasonOf(error)), error)
  })
  if (!isVerdict(verdict)) throw failed('it answered something that is no verdict')
  return verdict
}

function waitAside(each: OpenGate, answering: Promise<unknown>): void {
  each.closed = 'it hangs'
  const open = () => {
    delete each.closed
  }
  answering.then(open, open)
}

function isDispatchVerdict(value: unknown): value is DispatchVerdict {
  const { verdict, reason, words } = fieldsOf(value)
  if (verdict === 'pass') return true
  if (typeof reason !== 'string') return false
  if (verdict === 'refuse') return true
  return verdict === 'redact' && Array.isArray(words) && words.length > 0 && words.every(isReplacement)
}

function isReplacement(value: unknown): boolean {
  const { from, to } = fieldsOf(value)
  return typeof from === 'string' && from !== '' && typeof to === 'string'
}

function isCommitVerdict(value: unknown): value is CommitVerdict {
  const { verdict, reason } = fieldsOf(value)
  return verdict === 'pass' || ((verdict === 'hold' || verdict === 'refuse') && typeof reason === 'string')
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function toRedaction(words: readonly { from: string; to: string }[]): Redaction {
  return text => words.reduce((rest, { from, to }) => rest.replaceAll(from, () => to), text)
}

function redacted(facts: DispatchFacts, redaction: Redaction): DispatchFacts {
  const clean = <Words extends { text: string }>(each: Words) => ({ ...each, text: redaction(each.text) })
  const parameters = Object.fromEntries(Object.entries(facts.parameters).map(([name, text]) => [name, redaction(text)]))
  return { ...facts, positive: facts.positive.map(clean), negative: facts.negative.map(clean), parameters }
}
