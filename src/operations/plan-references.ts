import type { Problem } from '../errors.js'
import type { ReferenceFile } from '../library/references.js'
import type { Sources } from '../library/sources.js'
import type { Reference } from '../schema/reference.js'

/** The pictures that a persona is rendered after: those that were asked for, else those of the order, else its own. */
export function referencesOf(
  { asked, drop }: Pick<Sources, 'asked' | 'drop'>,
  own: readonly ReferenceFile[] | undefined,
): readonly ReferenceFile[] {
  return asked ?? (drop?.kind === 'render-order' ? drop.references : undefined) ?? own ?? []
}

/** Every file that a persona of the drop is rendered after. */
export function referenceFiles(sources: Pick<Sources, 'asked' | 'drop'>): readonly ReferenceFile[] {
  const { drop } = sources
  if (drop?.kind === 'persona-kit') return referencesOf(sources, drop.references)
  return drop?.kind === 'render-order' ? drop.kits.flatMap(kit => referencesOf(sources, kit.references)) : []
}

/** The most that one persona is rendered after. */
export function referencesWanted(sources: Pick<Sources, 'asked' | 'drop'>): number {
  const { drop } = sources
  if (drop?.kind === 'persona-kit') return referencesOf(sources, drop.references).length
  if (drop?.kind !== 'render-order') return 0
  return Math.max(...drop.kits.map(kit => referencesOf(sources, kit.references).length), 0)
}

/** What of a file stands in plans and traces: never where it lay. */
export function toReference({ sha256, sizeBytes, format, width, height }: ReferenceFile): Reference {
  return { sha256, sizeBytes, format, width, height }
}

/** The people of a persona manifest are several, and none is made after pictures of another. */
export function checkAsked({ asked = [], drop }: Pick<Sources, 'asked' | 'drop'>): Problem[] {
  if (asked.length === 0 || drop?.kind !== 'persona-manifest') return []
  const message = 'A persona manifest takes no reference pictures: its personas are different people'
  const allowed = 'a persona kit or a render order'
  return [{ severity: 'error', code: 'REFERENCES_UNFIT', message, path: 'references', allowed }]
}
