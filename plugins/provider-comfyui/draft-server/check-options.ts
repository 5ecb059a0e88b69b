import type { Problem } from '../../../src/plugins/contract.js'
import { isRecord } from './graph.js'
import { noFaults, type DraftServerOptions, type Faults } from './options.js'

/** What an option or a fault may be. */
interface Rule {
  /** As a sentence shows it. */
  allowed: string
  isFit(value: unknown): boolean
}

/** The longest that a timer of Node waits. */
const msMax = 2_147_483_647
const seedMax = Number.MAX_SAFE_INTEGER
const countMax = 1_000_000_000
const stepsMax = 10_000
const bodyBytesMax = 4 * 1024 ** 3

const ms = number(0, msMax)
const count = whole(0, countMax)
const anyText: Rule = { allowed: 'a text', isFit: value => typeof value === 'string' }
const yesOrNo: Rule = { allowed: 'true or false', isFit: value => typeof value === 'boolean' }

export const faultRules: Readonly<Record<keyof Faults, Rule>> = {
  jobMs: ms,
  stepMs: ms,
  steps: whole(0, stepsMax),
  modelLoadMs: ms,
  loraLoadMs: ms,
  failRate: number(0, 1),
  failSeed: whole(0, seedMax),
  failNext: count,
  failWith: oneOf('error', 'out-of-memory'),
  failOn: anyText,
  crashOn: anyText,
  workerDead: yesOrNo,
  historyLateMs: ms,
  dropSocketsEveryMs: ms,
  silentSockets: yesOrNo,
  postDelayMs: ms,
  postLost: count,
  viewTruncated: count,
  noOutputs: count,
  wrongSize: count,
  black: count,
  repeat: count,
  driftFrom: count,
  driftBy: number(0, 1),
  prepared: yesOrNo,
  previews: yesOrNo,
}

/** Options that can be written as words: what holds functions or bytes is for programs. */
export const optionRules: Readonly<Record<Exclude<keyof DraftServerOptions, 'nodes' | 'input' | 'faults'>, Rule>> = {
  port: whole(0, 65_535),
  version: oneOf('0.12.1', '0.3.64'),
  models: {
    allowed: 'any, or files by folder: {"checkpoints": {"a.safetensors": {"sizeBytes": 1000}}}',
    isFit: value => value === 'any' || isRecordOf(value, folder => isRecordOf(folder, isModel)),
  },
  lenient: yesOrNo,
  isDisguised: yesOrNo,
  ledgerFile: { allowed: 'the path of a file', isFit: value => typeof value === 'string' && value !== '' },
  bodyBytesMax: whole(1, bodyBytesMax),
}

/**
 * Options as a command line or a configuration gives them, with everything that is wrong with them. Faults may stand among the
 * options, or in `faults`.
 */
export function checkOptions(given: Readonly<Record<string, unknown>>): {
  options: DraftServerOptions
  problems: Problem[]
} {
  const { faults: nested = {}, ...rest } = given
  const entries = Object.entries(rest)
  const options = Object.fromEntries(entries.filter(([name]) => Object.hasOwn(optionRules, name)))
  const loose = Object.fromEntries(entries.filter(([name]) => !Object.hasOwn(optionRules, name)))
  const faults = isRecord(nested) ? { ...nested, ...loose } : loose
  const problems = [
    ...(isRecord(nested) ? [] : [wrong('faults', 'faults by name', nested)]),
    ...check(options, optionRules, 'option'),
    ...check(loose, faultRules, 'option'),
    ...check(isRecord(nested) ? nested : {}, faultRules, 'fault', 'faults.'),
  ]
  // The rules have just said what each of them is.
  return { options: { ...options, faults } as DraftServerOptions, problems }
}

/** Everything that is wrong with faults by name. */
export function checkFaults(faults: Readonly<Record<string, unknown>>): Problem[] {
  return check(faults, faultRules, 'fault')
}

function check(
  values: Readonly<Record<string, unknown>>,
  rules: Readonly<Record<string, Rule>>,
  noun: 'option' | 'fault',
  before = '',
): Problem[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!rule) return [unknown(`${before}${name}`, noun)]
    return rule.isFit(value) ? [] : [wrong(`${before}${name}`, rule.allowed, value)]
  })
}

function wrong(path: string, allowed: string, value: unknown): Problem {
  const found = describe(value).slice(0, foundLengthMax)
  return { severity: 'error', code: 'DRAFT_OPTION_INVALID', path, message: 'This cannot be', found, allowed }
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

function unknown(path: string, noun: 'option' | 'fault'): Problem {
  const names = Object.keys(noun === 'fault' ? noFaults : { ...optionRules, faults: {}, ...noFaults })
  const message = `The draft server has no such ${noun}`
  return { severity: 'error', code: 'DRAFT_OPTION_UNKNOWN', path, message, allowed: names.join(', ') }
}

const foundLengthMax = 60

function whole(min: number, max: number): Rule {
  const isFit = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
  return { allowed: `a whole number ${min}–${max}`, isFit }
}

function number(min: number, max: number): Rule {
  const isFit = (value: unknown) => typeof value === 'number' && value >= min && value <= max
  return { allowed: `a number ${min}–${max}`, isFit }
}

function oneOf(...words: string[]): Rule {
  return { allowed: words.join(' or '), isFit: value => words.some(word => word === value) }
}

function isRecordOf(value: unknown, isFit: (each: unknown) => boolean): boolean {
  return isRecord(value) && Object.values(value).every(isFit)
}

function isModel(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { sizeBytes, metadata = {} } = value
  return typeof sizeBytes === 'number' && sizeBytes >= 0 && isRecordOf(metadata, text => typeof text === 'string')
}
