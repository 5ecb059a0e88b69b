import type { Problem } from '../errors.js'

/** Bounds of every document that is read, whatever its format. */
export const DEPTH_MAX = 64
export const PROBLEMS_MAX = 200

export type DocumentFormat = 'json' | 'yaml'
/** Keys and indices from the root of a document to a value. */
export type ValuePath = readonly (string | number)[]
/** `key` is the name of a field, `value` what stands behind it. */
export interface Target {
  path: ValuePath
  part: 'key' | 'value'
}
/** Both from 1; columns count UTF-16 units, as editors do. */
export interface Place {
  line: number
  column: number
}

/** What the two readers find: offsets instead of lines. */
export interface TextProblem {
  severity: Problem['severity']
  code: string
  message: string
  offset: number
  found?: string
  path?: string
}

/** A text, read in one of the formats. */
export interface Reading {
  value: unknown
  problems: TextProblem[]
  /** Offsets of keys or values. */
  locateAll(targets: readonly Target[]): (number | undefined)[]
  sourceOf(path: ValuePath): string | undefined
}
