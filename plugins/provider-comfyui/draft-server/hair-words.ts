import { mix, parseColour } from './paint-colours.js'

/** Hair has colours of its own: red hair is not the red of paint. */
const hairColours = new Map([
  ['black', '#211d24'],
  ['white', '#ece9e2'],
  ['grey', '#8e9096'],
  ['gray', '#8e9096'],
  ['silver', '#c3c7cc'],
  ['silvery', '#c3c7cc'],
  ['platinum', '#e9e1cd'],
  ['blond', '#e4c583'],
  ['blonde', '#e4c583'],
  ['golden', '#d9a63a'],
  ['ginger', '#c4622d'],
  ['copper', '#b8663a'],
  ['red', '#a8402f'],
  ['auburn', '#7f3a26'],
  ['chestnut', '#6b3f2a'],
  ['brown', '#5d3a28'],
  ['brunette', '#3b2a26'],
  ...['orange', 'yellow', 'gold', 'green', 'teal', 'cyan', 'blue', 'navy', 'purple', 'violet', 'magenta', 'pink'].map(
    name => [name, parseColour(name) ?? '#3b2a26'] as const,
  ),
])

const shade = '(?:(dark|deep|light|pale)[ -])?'
const colour = `${shade}(${[...hairColours.keys()].join('|')})`
/** What may stand between a colour and the hair. */
const shapes = 'long|short|curly|wavy|straight|messy|thick|thin|braided|tied|loose|spiky|shaggy|flowing|shoulder-length'
const patterns = [
  new RegExp(`\\b${colour}(?:,? (?:${shapes}))*[ -]hair(?:ed)?\\b`, 'i'),
  new RegExp(`\\bhair(?: colou?r)?(?: is|:) ${colour}\\b`, 'i'),
  // These are said of nothing but hair.
  new RegExp(`\\b${shade}(blonde?|brunette|red(?=head))`, 'i'),
]
/** A prompt says the hair early or not at all. */
const wordsLengthMax = 4000
const shadeShare = 0.35

/** The colour that the words of a prompt give the hair, as `#rrggbb`; undefined where they give none. */
export function readHairColour(words: string): string | undefined {
  const text = words.slice(0, wordsLengthMax)
  for (const pattern of patterns) {
    const [, degree, name = ''] = pattern.exec(text) ?? []
    const plain = hairColours.get(name.toLowerCase())
    if (plain) return shadeOf(plain, degree?.toLowerCase())
  }
  return undefined
}

function shadeOf(plain: string, degree: string | undefined): string {
  if (degree === undefined) return plain
  return mix(plain, degree === 'dark' || degree === 'deep' ? '#17171c' : '#f7f5f0', shadeShare)
}
