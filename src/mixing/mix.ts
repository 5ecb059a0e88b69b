import type { Problem } from '../errors.js'
import type { Fragment, Mix } from '../schema/run.js'
import type { Family } from '../schema/template.js'
import { arrangeWords, tokensMax } from './arrange-words.js'
import { chooseLoras, type WeighedLora } from './choose-loras.js'
import { chooseNegativeWords, chooseWords } from './choose-words.js'
import { dropRepeats, type DroppedWords } from './clean-words.js'
import type { MixInput } from './mix-input.js'
import { placeSliders } from './place-sliders.js'
import type { RankedFragment } from './rank-words.js'

const isReadInChunks: Record<Family, boolean> = { sd15: true, sdxl: true, sd3: false, flux: false }

/** How a mix came about: what is not in it, and why. */
export interface MixAccount {
  weighing: WeighedLora[]
  /** What style LoRAs may add up to, and what they were asked for. */
  budget: { max: number; asked: number }
  dropped: Record<'positive' | 'negative', DroppedWords[]>
}

/**
 * Pure: what one subject looks like in one view and variation, as LoRAs and words, each with its source. The same input gives
 * the same bytes. With an error among the problems the mix is incomplete and is not to be rendered.
 */
export function mix(input: MixInput): { mix: Mix; problems: Problem[]; account: MixAccount } {
  const { placed, problems } = placeSliders(input)
  const { loras, leftOut, talents, weighing, styleSum, problems: loraProblems } = chooseLoras(input, placed)
  const { words, unsaid, problems: wordProblems } = chooseWords(input, placed, talents)
  const positive = finishWords(words, input.family, 'positive')
  const negative = finishWords(chooseNegativeWords(input, placed, talents), input.family, 'negative')

  return {
    mix: {
      positive: positive.fragments.map(withoutRank),
      negative: negative.fragments.map(withoutRank),
      loras,
      ...(leftOut.length > 0 && { leftOut }),
      sliders: Object.fromEntries(placed.map(({ key, position }) => [key, position])),
    },
    problems: [...problems, ...loraProblems, ...wordProblems, ...positive.problems, ...negative.problems],
    account: {
      weighing,
      budget: { max: input.styleBudget, asked: styleSum },
      dropped: { positive: [...unsaid, ...positive.dropped], negative: negative.dropped },
    },
  }
}

function finishWords(words: readonly RankedFragment[], family: Family, path: 'positive' | 'negative') {
  const { fragments, dropped } = dropRepeats(words)
  if (!isReadInChunks[family]) return { fragments, dropped, problems: [] }
  const arranged = arrangeWords(fragments, path)
  const reason = `no room in the ${tokensMax} tokens that are read well`
  const tooMany = arranged.leftOut.map(({ text, source }) => ({ text, source, reason }))
  return { fragments: arranged.fragments, dropped: [...dropped, ...tooMany], problems: arranged.problems }
}

function withoutRank({ rank: _, ...fragment }: RankedFragment): Fragment {
  return fragment
}
