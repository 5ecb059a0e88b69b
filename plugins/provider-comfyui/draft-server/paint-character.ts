import type { DraftPicture } from './draft-picture.js'
import { readHairColour } from './hair-words.js'
import { distance, mix, oklch, parseColour, withLightness } from './paint-colours.js'
import { createRandom, type Random } from './paint-random.js'

export const hairStyles = [
  'crop',
  'bob',
  'long',
  'curls',
  'bun',
  'spikes',
  'swoop',
  'braids',
  'shaved',
  'hood',
] as const
export const collars = ['crew', 'vee', 'high', 'lapels', 'scarf'] as const
export const extras = ['none', 'glasses', 'earring', 'freckles', 'scar', 'headband'] as const
export const outfits = ['jacket', 'coat', 'tunic', 'dress'] as const
export const animals = ['cat', 'fox', 'rabbit', 'bear'] as const
export const horns = ['curled', 'straight', 'short'] as const

/** What a character looks like: the same in all of its pictures, because it follows from the name. */
export interface Character {
  hair: (typeof hairStyles)[number]
  collar: (typeof collars)[number]
  extra: (typeof extras)[number]
  outfit: (typeof outfits)[number]
  animal: (typeof animals)[number]
  horn: (typeof horns)[number]
  hasBeard: boolean
  /** Half of the head's width, in units of which the head is some 138 high. */
  headWidth: number
  /** Width of the jaw as a share of the head's. */
  jaw: number
  /** Length of the chin, about 1. */
  chin: number
  /** Width of the shoulders, about 1. */
  build: number
  eyeSize: number
  eyeSpacing: number
  browWeight: number
  mouthWidth: number
  skin: string
  hairColour: string
  eyeColour: string
  primary: string
  secondary: string
  accent: string
  /** How strongly each pole of the two shipped axes acts, 0…1. */
  mecha: number
  creature: number
  abstract: number
  animality: number
}

/**
 * The character of a picture. `drift` moves it towards somebody else: measures and colours by that share,
 * hair, collar and so on one after the other.
 */
export function designCharacter(picture: DraftPicture): Character {
  const name = picture.subject ?? 'nobody'
  const own = { ...drawLooks(createRandom(`persona ${name}`)), ...readPalette(picture.palette), ...readHair(picture) }
  const drift = unit(picture.drift ?? 0)
  const looks = drift === 0 ? own : moveLooks(own, { name, seed: picture.seed, drift })
  return { ...looks, ...readForces(picture.sliders ?? {}) }
}

type Looks = Omit<Character, 'mecha' | 'creature' | 'abstract' | 'animality'>

const skins = ['#f6d3bd', '#eec0a0', '#dda47e', '#c68860', '#a4684a', '#7d4c36', '#5b382b'] as const
const hairColours = ['#211d24', '#3b2a26', '#5d3a28', '#8d5a34', '#c9934f', '#e4c583', '#a8402f', '#b9bcc4'] as const
const eyeColours = ['#4b7a5b', '#4a78a8', '#7a5a34', '#5b4a86', '#2f6f73', '#8a6a1f'] as const

function drawLooks(random: Random): Looks {
  const hue = random.number(0, 360)
  const isDyed = random.chance(0.35)
  const natural = random.pick(hairColours)
  const accentHue = hue + random.pick([150, 180, 210, 60])
  return {
    hair: random.pick(hairStyles),
    collar: random.pick(collars),
    extra: random.pick(extras),
    outfit: random.pick(outfits),
    animal: random.pick(animals),
    horn: random.pick(horns),
    hasBeard: random.chance(0.4),
    headWidth: random.number(45, 54),
    jaw: random.number(0.62, 0.86),
    chin: random.number(0.96, 1.07),
    build: random.number(0.86, 1.18),
    eyeSize: random.number(9, 12),
    eyeSpacing: random.number(19.5, 23.5),
    browWeight: random.number(3, 6),
    mouthWidth: random.number(13, 19),
    skin: random.pick(skins),
    hairColour: isDyed ? oklch(random.number(0.45, 0.75), 0.13, accentHue) : natural,
    eyeColour: random.pick(eyeColours),
    primary: oklch(random.number(0.42, 0.62), 0.12, hue),
    secondary: oklch(random.number(0.55, 0.8), 0.07, hue + random.number(25, 70)),
    accent: oklch(0.76, 0.14, accentHue),
  }
}

function moveLooks(own: Looks, to: { name: string; seed: number; drift: number }): Looks {
  const random = createRandom(`drift ${to.name} ${to.seed}`)
  const other = drawLooks(random)
  const order = createRandom(`order of drift ${to.name}`)
  const moved = Object.entries(own).map(([trait, mine]) => {
    const theirs = other[trait as keyof Looks]
    const threshold = order.number(0.2, 1)
    return [trait, moveTrait(mine, theirs, { drift: to.drift, threshold })]
  })
  // Every trait is moved within its own kind: numbers to numbers, colours to colours, choices to choices.
  return Object.fromEntries(moved) as Looks
}

function moveTrait(mine: Looks[keyof Looks], theirs: unknown, by: { drift: number; threshold: number }): unknown {
  if (typeof mine === 'number' && typeof theirs === 'number') return mine + (theirs - mine) * by.drift
  const isColour = typeof mine === 'string' && mine.startsWith('#')
  if (isColour && typeof theirs === 'string') return mix(mine, theirs, by.drift)
  return by.drift >= by.threshold ? theirs : mine
}

/** Colours of an order, wherever they can be understood. A pure black or white is brought to where shading shows. */
function readPalette(palette: DraftPicture['palette']): Partial<Looks> {
  const read: Partial<Looks> = {}
  for (const role of ['primary', 'secondary', 'accent'] as const) {
    const text = palette?.[role]
    const colour = typeof text === 'string' ? parseColour(text) : undefined
    if (colour) read[role] = withLightness(colour, 0.24, 0.93)
  }
  return read
}

/** The hair of the palette, else that of the words; private words say nothing. */
function readHair({ palette, words, isPrivate }: DraftPicture): Partial<Looks> {
  const set = palette?.['hair']
  const said = words === undefined || isPrivate ? undefined : readHairColour(words)
  const hairColour = (typeof set === 'string' ? parseColour(set) : undefined) ?? said
  return hairColour === undefined ? {} : { hairColour: withLightness(hairColour, 0.24, 0.93) }
}

function readForces(sliders: Record<string, number>) {
  const mecha = findSlider(sliders, /mecha|creature/i)
  const animal = findSlider(sliders, /animal|abstract/i)
  return { mecha: left(mecha), creature: right(mecha), abstract: left(animal), animality: right(animal) }
}

function findSlider(sliders: Record<string, number>, name: RegExp): number {
  return unit(Object.entries(sliders).find(([key]) => name.test(key))?.[1] ?? 0.5)
}

/** Both poles are silent in the middle. */
function left(position: number): number {
  return Math.max(0, 1 - 2 * position)
}

function right(position: number): number {
  return Math.max(0, 2 * position - 1)
}

export function unit(value: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(value, 0), 1) : 0.5
}

/** Skin as it is seen: metal, hide and fur take its place as their slider moves. */
export function surfaceOf(c: Character): string {
  const metal = mix(c.skin, '#aab4be', c.mecha * 0.85)
  const hide = mix(metal, withLightness(c.secondary, 0.5, 0.66), c.creature * 0.6)
  const fur = distance(c.hairColour, c.skin) > 0.12 ? mix(c.hairColour, '#f4e6d2', 0.45) : mix(c.skin, '#f4e6d2', 0.3)
  const furred = mix(hide, fur, c.animality * 0.75)
  return mix(furred, mix(c.secondary, '#f5efe4', 0.45), c.abstract * 0.55)
}

/** Corners: 1 is soft, 0 is all edges. */
export function softnessOf(c: Character): number {
  return Math.max(0.06, 1 - c.mecha * 0.95 - c.abstract * 0.45)
}
