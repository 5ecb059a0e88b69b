import type { Character } from './paint-character.js'
import type { Random } from './paint-random.js'
import type { Box, Clips } from './paint-shapes.js'
import type { Ground } from './paint-stage.js'

/** What the painter of a template is given. */
export interface SceneLook {
  box: Box
  c: Character
  ground: Ground
  random: Random
  clips: Clips
  /** Pixels that text and lines are measured in; 0 leaves labels out. */
  step: number
  /** Pixels at the top that title and stamp need. */
  headroom: number
}

export interface Scene {
  svg: string
  /** For words on the upper edge of the scene. */
  ink: string
}

/** The tones of a setting. */
export interface SceneColours {
  sky: string
  /** The nearest, darkest tone; distance mixes it with the sky. */
  depth: string
  glow: string
  isNight: boolean
}
