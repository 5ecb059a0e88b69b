import type { Problem } from '../errors.js'
import type { PlannedComposite } from '../schema/composite.js'
import type { ParameterValue } from '../schema/parameter.js'
import type { Mix } from '../schema/run.js'
import type { Template } from '../schema/template.js'
import { describeValues } from './slots.js'

/** Pictures of one sheet: more would be too small to tell apart. */
export const sheetPicturesMax = 400
const sheetColumnsMax = 20

interface PlannedPictures {
  subject: string
  template: Template
  /** Sliders and parameters of each. */
  variations: readonly Readonly<Record<string, ParameterValue>>[]
  /** By view, then variation. */
  mixes: readonly Mix[]
  /** What is asked of sliders and parameters, those that change fastest last. */
  set: Readonly<Record<string, readonly ParameterValue[]>>
}

/** What is to be shown on one picture: the sheet of a sweep, where one is asked for, else as the template says. */
export function planComposite(
  pictures: PlannedPictures,
  { sheet = false }: { sheet?: boolean },
): PlannedComposite | undefined {
  if (sheet && pictures.variations.length > 1) return planSheet(pictures)
  const { template, subject } = pictures
  if (!template.composite) return undefined
  const { caption, heading, ...layout } = template.composite
  return {
    over: 'views',
    ...layout,
    ...(heading && { heading: { title: `${subject} · ${template.title}`, detail: '' } }),
    labels: template.views.map(({ id, title = id }) => ({ caption: caption === 'none' ? '' : title, detail: '' })),
  }
}

/** Why the sheet that is asked for cannot be made. */
export function checkSheet(variations: number): Problem[] {
  if (variations > 1 && variations <= sheetPicturesMax) return []
  const message =
    variations > 1
      ? `A sheet holds at most ${sheetPicturesMax} pictures`
      : 'A sheet shows a sweep, and nothing is swept'
  return [{ severity: 'error', code: 'SHEET_UNFIT', message, path: 'set', found: String(variations) }]
}

/** What changes fastest goes across, all others go down; a very long row is broken. */
function planSheet({ subject, template, variations, mixes, set }: PlannedPictures): PlannedComposite {
  const swept = Object.keys(set).filter(key => (set[key]?.length ?? 0) > 1)
  const only = (keys: readonly string[], values: Readonly<Record<string, ParameterValue>>) =>
    describeValues(Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key))))
  const still = Object.keys(set).filter(key => !swept.includes(key))
  return {
    over: 'variations',
    columns: Math.min(set[swept.at(-1) ?? '']?.length ?? 1, sheetColumnsMax),
    tile: 320,
    gap: 16,
    background: '#121213',
    heading: { title: `${subject} · ${template.title}`, detail: only(still, variations[0] ?? {}) },
    labels: variations.map((values, at) => ({ caption: only(swept, values), detail: describeStyles(mixes[at]) })),
  }
}

/** The weights as they are sent, by the last word of a talent's id. */
function describeStyles(mix: Mix | undefined): string {
  const styles = (mix?.loras ?? []).filter(({ role }) => role === 'style')
  const named = styles.map(({ talent, effective }) => `${talent.split('.').at(-1) ?? talent} ${effective}`)
  return named.length === 0 ? 'no style LoRA' : `LoRA ${named.join(', ')}`
}
