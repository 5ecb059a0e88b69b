import { failure } from '../errors.js'
import { openIndex } from '../library/talent-index.js'
import { explainMix, type ExplainedMix, type ExplainedWords } from '../operations/explain-mix.js'
import { readShelf } from '../operations/shelf.js'
import type { Family } from '../schema/template.js'
import type { CommandContext } from './command-context.js'
import { exitCodes } from './exit-codes.js'
import { findKit } from './find-kit.js'
import type { ServerFlags } from './render-from-flags.js'
import { table, type Terminal } from './terminal.js'

export interface MixFlags extends ServerFlags {
  set?: Record<string, number[]>
  finish?: string
  family?: Family
  template?: string
  view?: string
  prompt?: string
  seed?: number
  sheet?: string[]
  steps?: number
  verbose?: boolean
}

/** `foundry mix`: shows the mix of a persona. Answers the exit code. */
export async function runMix(context: CommandContext<MixFlags>, name: string): Promise<number> {
  const { terminal, flags } = context
  refuseSheetFlags(flags)
  const { config, shelf, kit, path } = await openMix(context, name)
  const { finish, family, template, view, prompt } = flags
  const answer = explainMix(config, shelf, {
    kit,
    name,
    set: onePosition(flags.set ?? {}),
    ...(finish !== undefined && { finish }),
    ...(family !== undefined && { family }),
    ...(template !== undefined && { template }),
    ...(view !== undefined && { view }),
    ...(prompt !== undefined && { prompt }),
  })
  terminal.answer({ ...answer, ...(path !== undefined && { file: path }) })
  terminal.problems(answer.warnings)
  sayMix(answer, terminal)
  return exitCodes.done
}

/** The persona that is meant, and the library of its home. */
export async function openMix({ terminal, flags, config }: CommandContext<MixFlags>, name: string) {
  const { server: servers, draft, family } = flags
  const chosen = await config({ servers, draft, family })
  const shelf = await readShelf(chosen, await openIndex(chosen.paths.index))
  const found = await findKit(name, { config: chosen, talents: [...shelf.talents.keys()], terminal })
  return { config: chosen, shelf, ...found }
}

function refuseSheetFlags({ steps, seed, server, draft }: MixFlags): void {
  const flag = Object.entries({ steps, seed, server, draft }).find(([, value]) => value !== undefined)?.[0]
  if (flag === undefined) return
  throw failure('USAGE_INVALID', {
    problem: `--${flag} is for a sheet`,
    next: 'name a slider with --sheet, or leave it out',
  })
}

function onePosition(set: Readonly<Record<string, number[]>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(set).map(([key, [position = 0, ...more]]) => {
      if (more.length === 0) return [key, position]
      const problem = `--set ${key} has several positions, and one mix is shown`
      throw failure('USAGE_INVALID', { problem, next: 'give one, or sweep the slider with --sheet' })
    }),
  )
}

function sayMix(answer: ExplainedMix, terminal: Terminal): void {
  const { persona, template, view, family, sliders, weights, budget } = answer
  terminal.say(`${persona} · ${template} · ${view} · ${family}`)
  if (sliders.length > 0) {
    const rows = sliders.map(({ slider, position, from, curve, left, right }) => {
      const poles = [left, right].map(({ label, weight }) => `${label} ${weight}`)
      return [slider, String(position), from, curve, ...poles]
    })
    terminal.say(`\n${table([['SLIDER', 'POSITION', 'FROM', 'CURVE', 'AT 0', 'AT 1'], ...rows])}`)
  }
  if (weights.length > 0) {
    const rows = weights.map(({ talent, raw, defaultWeight, weighted, effective, source, leftOut }) => [
      talent,
      String(raw),
      `× ${defaultWeight} = ${weighted}`,
      String(effective),
      leftOut === undefined ? source : `${source}: left out, ${leftOut}`,
    ])
    terminal.say(`\n${table([['LORA', 'RAW', 'DEFAULT', 'SENT', 'FROM'], ...rows])}`)
    const scaled = budget.asked > budget.max ? ', so all are scaled down alike' : ''
    terminal.say(`styles ask for ${budget.asked} of a budget of ${budget.max}${scaled}`)
    const drafts = weights.filter(each => each.draft).map(each => each.talent)
    if (drafts.length > 0) terminal.say(`draft weights, which no real server is sent: ${drafts.join(', ')}`)
  }
  sayWords('WORDS', answer.positive, terminal)
  sayWords('NEGATIVE', answer.negative, terminal)
}

function sayWords(title: string, { fragments, dropped }: ExplainedWords, terminal: Terminal): void {
  const rows = fragments.map(({ source, text }) => [source, text])
  terminal.say(`\n${table([['FROM', title], ...rows])}`)
  const byReason = new Map<string, string[]>()
  for (const { source, text, reason } of dropped) {
    const key = `${source}: ${reason}`
    byReason.set(key, [...(byReason.get(key) ?? []), text])
  }
  for (const [reason, texts] of byReason)
    terminal.say(terminal.paint('dim', `not said: ${texts.join(', ')} (${reason})`))
}
