import type { Problem } from '../errors.js'
import { personaKitSchema } from '../schema/persona-kit.js'
import { findPublished } from '../schema/publish.js'
import { renderOrderSchema } from '../schema/render-order.js'
import { describeValue } from '../files/describe-value.js'
import type { ParsedDocument } from '../files/document.js'
import { findNearMiss } from '../files/near-miss.js'

export type DropKind = 'persona-manifest' | 'persona-kit' | 'render-order'

/** What a dropped document is, by its content; where that is open, by its `$schema`. */
export function chooseDropKind(document: ParsedDocument): DropKind | { problem: Problem } {
  const { value } = document
  if (Array.isArray(value)) return 'persona-manifest'
  if (typeof value !== 'object' || value === null) return refuse(document, '')
  const hint = readHint(document, value)
  if (hint) return hint
  const isKit = Object.hasOwn(value, 'dot_id')
  const isOrder = Object.hasOwn(value, 'personas')
  if (isKit && isOrder) return refuse(document, ': it has both dot_id and personas')
  if (isKit) return 'persona-kit'
  if (isOrder) return 'render-order'
  return refuse(document, adviseKind(Object.keys(value)))
}

const kinds = new Set<string>(['persona-manifest', 'persona-kit', 'render-order'] satisfies DropKind[])

function readHint(document: ParsedDocument, value: object): DropKind | { problem: Problem } | undefined {
  const hint = (value as { $schema?: unknown }).$schema
  if (typeof hint !== 'string') return undefined
  const id = findPublished(hint)?.$id.split('/')[0]
  if (id !== undefined && kinds.has(id)) return id as DropKind
  // A schema of somebody else says nothing; one of ours that no drop has, or a version yet to come, does.
  if (id === undefined && !/(?:persona-manifest|persona-kit|render-order)\/\d+(?:\.json)?$/.test(hint)) return undefined
  return {
    problem: {
      severity: 'error',
      code: 'DROP_SCHEMA_UNKNOWN',
      message: 'this schema is not one of a drop',
      file: document.file,
      ...document.locate(['$schema']),
      path: '$schema',
      found: describeValue(hint, { isHidden: false }),
      allowed: 'persona-kit/1, render-order/1',
    },
  }
}

function refuse(document: ParsedDocument, advice: string): { problem: Problem } {
  return {
    problem: {
      severity: 'error',
      code: 'DROP_KIND_UNKNOWN',
      message: `this is no drop that is known${advice}`,
      file: document.file,
      ...document.locate([]),
      found: describeValue(document.value, { isHidden: true }),
      allowed:
        'a persona kit (an object with dot_id and version), a render order (an object with personas), ' +
        'or a persona manifest (a list of entries with call_id, speaker and persona_path)',
    },
  }
}

function adviseKind(keys: readonly string[]): string {
  const known = new Set(keys)
  if (known.has('call_id')) return ': an entry of a persona manifest stands inside a list, in [ ]'
  if (known.has('class_type') || keys.includes('nodes')) return ': a workflow belongs into the folder workflows/'
  for (const key of keys) {
    const meant = findNearMiss(key, ['dot_id', 'personas'])
    if (meant !== undefined) return `: did you mean "${meant}" where it says "${key.slice(0, 40)}"?`
  }
  if (sharedFields(known, personaKitSchema) >= 2) return ': a persona kit needs dot_id'
  if (sharedFields(known, renderOrderSchema) >= 2) return ': a render order needs personas'
  return ''
}

function sharedFields(keys: ReadonlySet<string>, { properties }: { properties: object }): number {
  return Object.keys(properties).filter(name => keys.has(name)).length
}
