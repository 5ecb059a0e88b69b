import type { PersonaKit } from '../schema/persona-kit.js'
import type { Fragment, Lora } from '../schema/run.js'
import type { Style } from '../schema/style.js'
import type { Family, Template } from '../schema/template.js'

/** Everything that a mix depends on. Nothing else is read: no file, no clock, no chance. */
export interface MixInput {
  subject: Subject
  /** The tables of all style plugins in one, see `mergeStyles`. */
  style: Style
  talents: ReadonlyMap<string, MixTalent>
  template: Template
  /** Id of a view of the template. */
  view: string
  /** Slider positions 0–1 that replace those of the persona. */
  variation: Readonly<Record<string, number>>
  /** Keys of the sliders that take more than one value in this sweep: their LoRAs come last in the chain. */
  varying: readonly string[]
  family: Family
  /** The user's words, put in front as they are: weights such as `(x:1.2)` stay weights. */
  prompt?: string
  /** Weights that are drafts are left out: the pictures are meant for a real renderer. */
  withoutDrafts?: boolean
  /** The most that the magnitudes of all style LoRAs may add up to. */
  styleBudget: number
}

export type Subject =
  | { kind: 'persona'; kit: PersonaKit }
  /** Words that were made elsewhere; they get a style's own words only where a slider is set. A private fragment may come without its text, see `fillPrivate`. */
  | { kind: 'text'; words: readonly Fragment[] }

/** What mixing must know of a talent. */
export interface MixTalent {
  id: string
  role: Lora['role']
  /** The word in a prompt that calls this LoRA. */
  token?: string
  /** 0–2. */
  defaultWeight: number
  /** What this LoRA should not draw; each entry may hold several phrases with commas between. */
  negatives: readonly string[]
  positivePrompts: readonly string[]
  stylePrompts: readonly string[]
  negativePrompts: readonly string[]
  family: Family
  weightsSha256: string
  sizeBytes: number
  hasTextEncoder: boolean
  isDraft: boolean
  /** False for placeholder weights and broken kits. */
  usable: boolean
}
