import { roundTo } from './curves.js'

/**
 * Colour names that an image model knows how to paint. The web's names lie beside those of painters; web names that a
 * model would draw as a thing or a people (moccasin, papaya whip, navajo white) are left out.
 */
export const hexByColour: Readonly<Record<string, string>> = {
  'antique white': '#faebd7',
  aquamarine: '#7fffd4',
  azure: '#f0ffff',
  beige: '#f5f5dc',
  black: '#000000',
  blue: '#0000ff',
  'blue violet': '#8a2be2',
  brown: '#a52a2a',
  'cadet blue': '#5f9ea0',
  chartreuse: '#7fff00',
  coral: '#ff7f50',
  'cornflower blue': '#6495ed',
  crimson: '#dc143c',
  cyan: '#00ffff',
  'dark blue': '#00008b',
  'dark cyan': '#008b8b',
  'dark goldenrod': '#b8860b',
  'dark green': '#006400',
  'dark khaki': '#bdb76b',
  'dark magenta': '#8b008b',
  'dark olive green': '#556b2f',
  'dark orange': '#ff8c00',
  'dark orchid': '#9932cc',
  'dark red': '#8b0000',
  'dark salmon': '#e9967a',
  'dark sea green': '#8fbc8f',
  'dark slate blue': '#483d8b',
  'dark slate grey': '#2f4f4f',
  'dark turquoise': '#00ced1',
  'dark violet': '#9400d3',
  'deep pink': '#ff1493',
  'deep sky blue': '#00bfff',
  'dim grey': '#696969',
  'brick red': '#b22222',
  'floral white': '#fffaf0',
  'forest green': '#228b22',
  'golden yellow': '#ffd700',
  goldenrod: '#daa520',
  grey: '#808080',
  green: '#008000',
  'green yellow': '#adff2f',
  'hot pink': '#ff69b4',
  indigo: '#4b0082',
  ivory: '#fffff0',
  khaki: '#f0e68c',
  lavender: '#e6e6fa',
  'lavender blush': '#fff0f5',
  'lawn green': '#7cfc00',
  'light blue': '#add8e6',
  'light coral': '#f08080',
  'light cyan': '#e0ffff',
  'light grey': '#d3d3d3',
  'light green': '#90ee90',
  'light pink': '#ffb6c1',
  'light salmon': '#ffa07a',
  'light sea green': '#20b2aa',
  'light sky blue': '#87cefa',
  'light slate grey': '#778899',
  'light steel blue': '#b0c4de',
  'light yellow': '#ffffe0',
  lime: '#00ff00',
  'lime green': '#32cd32',
  magenta: '#ff00ff',
  maroon: '#800000',
  'medium aquamarine': '#66cdaa',
  'medium blue': '#0000cd',
  'medium orchid': '#ba55d3',
  'medium purple': '#9370db',
  'medium sea green': '#3cb371',
  'medium slate blue': '#7b68ee',
  'medium spring green': '#00fa9a',
  'medium turquoise': '#48d1cc',
  'medium violet red': '#c71585',
  'midnight blue': '#191970',
  'misty rose': '#ffe4e1',
  navy: '#000080',
  olive: '#808000',
  'olive drab': '#6b8e23',
  orange: '#ffa500',
  'orange red': '#ff4500',
  'pale goldenrod': '#eee8aa',
  'pale green': '#98fb98',
  'pale turquoise': '#afeeee',
  'pale violet red': '#db7093',
  'peach puff': '#ffdab9',
  pink: '#ffc0cb',
  'powder blue': '#b0e0e6',
  purple: '#800080',
  red: '#ff0000',
  'rosy brown': '#bc8f8f',
  'royal blue': '#4169e1',
  'saddle brown': '#8b4513',
  'salmon pink': '#fa8072',
  'sandy brown': '#f4a460',
  'sea green': '#2e8b57',
  sienna: '#a0522d',
  'silver grey': '#c0c0c0',
  'sky blue': '#87ceeb',
  'slate blue': '#6a5acd',
  'slate grey': '#708090',
  'spring green': '#00ff7f',
  'steel blue': '#4682b4',
  tan: '#d2b48c',
  teal: '#008080',
  'tomato red': '#ff6347',
  turquoise: '#40e0d0',
  violet: '#ee82ee',
  white: '#ffffff',
  yellow: '#ffff00',
  'yellow green': '#9acd32',
  'ink black': '#14141f',
  'soot black': '#1c1917',
  charcoal: '#36454f',
  'warm grey': '#9c948a',
  'cool grey': '#8c92ac',
  'off-white': '#f8f4e9',
  'bone white': '#e9e2d0',
  'cream white': '#fffdd0',
  'burnt sienna': '#8a3324',
  'raw umber': '#826644',
  'burnt umber': '#5c3a2e',
  'espresso brown': '#3b2416',
  'yellow ochre': '#cb9d06',
  'mustard yellow': '#d9a514',
  amber: '#ffbf00',
  terracotta: '#c8644a',
  rust: '#b7410e',
  copper: '#b87333',
  bronze: '#cd7f32',
  taupe: '#8b7d6b',
  vermilion: '#e34234',
  'alizarin crimson': '#a4242f',
  burgundy: '#800020',
  'wine red': '#5e1224',
  'dusty rose': '#c48a8a',
  'dusty mauve': '#915f6d',
  mauve: '#b784a7',
  lilac: '#c8a2c8',
  'plum purple': '#6b2c5e',
  aubergine: '#3d1c3f',
  ultramarine: '#120a8f',
  'cobalt blue': '#0047ab',
  cerulean: '#2a7fb8',
  'denim blue': '#43638a',
  'prussian blue': '#003153',
  'petrol blue': '#1f4e5f',
  'deep teal': '#004d4d',
  viridian: '#40826d',
  'emerald green': '#50c878',
  'jade green': '#00a86b',
  'sage green': '#9caf88',
  'fern green': '#5f8a63',
  'moss green': '#5a6b2f',
  'bottle green': '#0b3d2e',
  'neon green': '#39ff14',
}

/**
 * The colour nearest to `#RRGGBB` as people see it, and how far it is: 0 is the same, 1 as far as white from black, rounded
 * to 4 decimals. Distance in OKLab with hue and chroma counted twice (deltaEOK2 of CSS Color 4), since a name says more
 * about hue than about lightness. Of two equally near the first in the table.
 */
export function nearestColour(hex: string): { name: string; distance: number } {
  const wanted = toOklab(hex)
  let name = ''
  let nearest = Infinity
  for (const [candidate, colour] of oklabByColour) {
    const distance = distanceBetween(wanted, colour)
    if (distance < nearest) [name, nearest] = [candidate, distance]
  }
  return { name, distance: roundTo(nearest, 4) }
}

type Oklab = readonly [lightness: number, greenRed: number, blueYellow: number]

const oklabByColour = Object.entries(hexByColour).map(([name, hex]) => [name, toOklab(hex)] as const)

function distanceBetween(one: Oklab, other: Oklab): number {
  const lightness = one[0] - other[0]
  const greenRed = 2 * (one[1] - other[1])
  const blueYellow = 2 * (one[2] - other[2])
  return Math.sqrt(lightness * lightness + greenRed * greenRed + blueYellow * blueYellow)
}

// Matrices: Björn Ottosson, "A perceptual color space for image processing" (2020), bottosson.github.io/posts/oklab.
function toOklab(hex: string): Oklab {
  const r = toLinear(hex.slice(1, 3))
  const g = toLinear(hex.slice(3, 5))
  const b = toLinear(hex.slice(5, 7))
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

/** Two hexadecimal digits of sRGB as linear light 0–1 (IEC 61966-2-1). */
function toLinear(digits: string): number {
  const value = Number.parseInt(digits, 16) / 255
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
}
