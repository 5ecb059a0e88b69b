import type { Link } from '../schema/api-graph.js'

export type { ApiGraph, ApiNode, Link } from '../schema/api-graph.js'

/** Whether an input value is a link to another node rather than a literal. */
export function isLink(value: unknown): value is Link {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    Number.isInteger(value[1]) &&
    value[1] >= 0
  )
}

/** What stands in an input, lists bare. */
export function plainValue(value: unknown): unknown {
  return typeof value === 'object' && value !== null && '__value__' in value ? value.__value__ : value
}
