import type { MixInput, MixTalent } from '../../../src/mixing/mix-input.js'
import type { PersonaKit } from '../../../src/schema/persona-kit.js'
import type { Slider, Style } from '../../../src/schema/style.js'
import type { Template } from '../../../src/schema/template.js'

export const style: Style = {
  name: 'plain',
  sliders: { mecha: slider('Mecha', 'Creature'), animal: slider('Abstract', 'Animal') },
  words: ['line art'],
  negative: ['blurry'],
  finish: { flat: ['flat colours'], gloss: ['glossy'] },
  tone: { warmth: { low: ['cool light'], high: ['warm light'] } },
}

export const template: Template = {
  id: 'bust',
  title: 'Bust',
  subject: 'persona',
  words: ['portrait'],
  negative: ['cropped'],
  views: [{ id: 'front', words: ['front view'] }, { id: 'bare' }],
  sizes: { sd15: { width: 512, height: 512 } },
  count: 1,
}

export const kit: PersonaKit = { dot_id: 'nova', version: '1.0.0' }

const styleTalents = ['mecha', 'creature', 'abstract', 'animal'].map(name => talent(`avatar.style.${name}`))

/** A persona with its identity talent and the four style talents of two V sliders, all with default weight 1. */
export function mixInput(changes: Partial<MixInput> = {}): MixInput {
  return {
    subject: { kind: 'persona', kit },
    style,
    talents: talentsById(identity(), ...styleTalents),
    template,
    view: 'front',
    variation: {},
    varying: [],
    family: 'sd15',
    styleBudget: 1.5,
    ...changes,
  }
}

export function talentsById(...talents: MixTalent[]): Map<string, MixTalent> {
  return new Map(talents.map(each => [each.id, each]))
}

export function identity(changes: Partial<MixTalent> = {}): MixTalent {
  return talent('avatar.identity.dot_nova', {
    token: 'dot_nova',
    positivePrompts: ['sample only', 'a dot_nova'],
    ...changes,
  })
}

export function talent(id: string, changes: Partial<MixTalent> = {}): MixTalent {
  return {
    id,
    role: id.startsWith('avatar.identity.') ? 'identity' : 'style',
    defaultWeight: 1,
    negatives: [],
    positivePrompts: [],
    stylePrompts: [],
    negativePrompts: [],
    family: 'sd15',
    weightsSha256: 'a'.repeat(64),
    sizeBytes: 1000,
    hasTextEncoder: true,
    isDraft: false,
    usable: true,
    ...changes,
  }
}

export function slider(left: string, right: string, curve: Slider['curve'] = 'v'): Slider {
  return { curve, left: pole(left), right: pole(right) }
}

function pole(label: string): Slider['left'] {
  const name = label.toLowerCase()
  return { label, talent: `avatar.style.${name}`, words: [`${name} words`] }
}
