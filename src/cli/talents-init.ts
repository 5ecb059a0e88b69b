import { join, resolve } from 'node:path'
import { type Config, isHome } from '../config/config.js'
import { failure } from '../errors.js'
import { initTalent, type NewKit } from '../library/talents-init.js'
import type { Family } from '../schema/template.js'
import { exitCodes } from './exit-codes.js'
import { table, type Terminal } from './terminal.js'

export interface InitFlags {
  from: string
  to?: string
  token?: string
  license?: string
  family?: Family
  baseModel?: string
  rank?: number
  weight?: number
  tags: boolean
}

/** Makes a kit of a file of weights. Throws HOME_MISSING, and what `initTalent` throws. */
export async function initKit(
  config: Config,
  terminal: Terminal,
  { id, flags }: { id: string; flags: InitFlags },
): Promise<number> {
  const { home, talents } = config.paths
  if (flags.to === undefined && !isHome(home)) throw failure('HOME_MISSING', { home })
  const { from, to, tags, weight, token, license, family, baseModel, rank } = flags
  const kit = await initTalent(id, {
    ...{ from, token, license, family, baseModel, rank },
    folder: to === undefined ? join(talents, 'avatar', id) : resolve(to),
    defaultWeight: weight,
    areTagsTaken: tags,
  })
  tell(terminal, id, kit)
  return exitCodes.done
}

function tell(terminal: Terminal, id: string, { folder, file, prompts, taken, inspection, problems }: NewKit): void {
  const next = inspection.isConvertible
    ? `foundry talents convert ${folder} --replace`
    : `foundry talents check ${folder}`
  terminal.answer({ folder, talent: file, prompts, taken, problems, next })
  const words = [...(prompts.positive_prompts ?? []), ...(prompts.style_prompts ?? [])]
  terminal.say(
    table([
      [id, folder],
      ['  base model', `${file.base_model} (${inspection.facts.evidence})`],
      ['  rank', String(file.lora_rank)],
      ['  weight', String(file.default_weight)],
      ['  words', words.join(' · ') || 'none: write some into prompts.json'],
    ]),
  )
  for (const each of taken) terminal.note(`taken: ${each}`)
  if (!terminal.isJson) terminal.problems(problems)
  terminal.say(`next: ${next}`)
}
