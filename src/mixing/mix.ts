import type { Problem } from '../errors.js'
import type { Fragment, Mix } from '../schema/run.js'
import type { Family } from '../schema/template.js'
import { arrangeWords } from './arrange-words.js'
import { chooseLoras } from './choose-loras.js'
import { chooseNegativeWords, chooseWords } from './choose-words.js'
import { dropRepeats } from './clean-words.js'
import type { MixInput } from './mix-input.js'
import { placeSliders } from './place-sliders.js'
import type { RankedFragment } from './rank-words.js'

const isReadInChunks: Record<Family, boolean> = { sd15: true, sdxl: true, flux: false }

/**
 * Pure: what one subject looks like in one view and variation, as LoRAs and words, each with its source. The same input gives
 * the same bytes. With an error among the problems the mix is incomplete and is not to be rendered.
 */
export function mix(input: MixInput): { mix: Mix; problems: Problem[] } {
  const { placed, problems } = placeSliders(input)
  const { loras, leftOut, talents, problems: loraProblems } = chooseLoras(input, placed)
  const { words, problems: wordProblems } = chooseWords(input, placed, talents)
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
  }
}

function finishWords(
  words: readonly RankedFragment[],
  family: Family,
  path: 'positive' | 'negative',
): ReturnType<typeof arrangeWords> {
  const fragments = dropRepeats(words)
  return isReadInChunks[family] ? arrangeWords(fragments, path) : { fragments, problems: [] }
}

function withoutRank({ rank: _, ...fragment }: RankedFragment): Fragment {
  return fragment
}
