import type { ErrorObject, ValidateFunction } from 'ajv'
import { Ajv } from 'ajv'
import type { Problem } from '../errors.js'
import { hasErrors } from '../errors.js'
import type { FromSchema } from '../schema/from-schema.js'
import type { ParsedDocument } from './document.js'
import { capProblems } from './document.js'
import { PROBLEMS_MAX } from './document-contract.js'
import { condenseErrors } from './validate-choices.js'
import type { Explanation } from './validate-explain.js'
import { explainError } from './validate-explain.js'
import { formatPath } from './value-path.js'

export interface ValidateOptions {
  /** `hidden` keeps every value out of the problems: they tell kinds and sizes instead. */
  values?: 'shown' | 'hidden'
}

/** A parsed document, or as much of it as there is of a value that stands in no file. */
export type Checkable = Pick<ParsedDocument, 'value' | 'problems'> & Partial<ParsedDocument>

/**
 * Checks a document against a schema and fills in its defaults, in place. The value is given when nothing is wrong
 * with text or shape but warnings; every mistake is a problem with its place, at most 200 of a file.
 */
export function validateDocument<const S extends object>(
  schema: S,
  document: Checkable,
  { values = 'shown' }: ValidateOptions = {},
): { value?: FromSchema<S>; problems: Problem[] } {
  const isHidden = values === 'hidden'
  const known = isHidden ? document.problems.map(hideWords) : document.problems
  if (document.value === undefined) return { problems: known.length > 0 ? known : [nothing] }
  const errors = findErrors(schema, document.value)
  // The schema has just promised this shape.
  if (errors.length === 0 && !hasErrors(known)) return { value: document.value as FromSchema<S>, problems: known }
  const judged = { schema, value: document.value, isHidden, sourceOf: document.sourceOf ?? (() => undefined) }
  const shown = errors.slice(0, PROBLEMS_MAX).map(error => explainError(error, judged))
  const placed = place(shown, document)
  const problems = [...known, ...(isHidden ? placed.map(hideKeys) : placed)].toSorted(byPlace)
  // Those beyond the bound are only counted: nobody reads them, and each costs a search for its place.
  const unplaced = errors.slice(PROBLEMS_MAX).map(() => tooMany)
  return { problems: capProblems([...problems, ...unplaced], document.file) }
}

/** As `validateDocument`, for a value that stands in no file, e.g. a message: problems have paths, no places. */
export function validateValue<const S extends object>(
  schema: S,
  value: unknown,
  file?: string,
): { value?: FromSchema<S>; problems: Problem[] } {
  return validateDocument(schema, { value, problems: [], ...(file !== undefined && { file }) })
}

const ajv = new Ajv({
  allErrors: true,
  strict: true,
  allowUnionTypes: true,
  useDefaults: true,
  addUsedSchema: false,
  code: { optimize: false },
})
const validators = new WeakMap<object, ValidateFunction>()

function findErrors(schema: object, value: unknown): ErrorObject[] {
  const validator = validators.get(schema) ?? ajv.compile(schema)
  validators.set(schema, validator)
  return validator(value) ? [] : condenseErrors(validator.errors ?? [])
}

function place(explanations: readonly Explanation[], document: Checkable): Problem[] {
  const places = document.locateAll?.(explanations.map(({ target }) => target)) ?? []
  return explanations.map(({ code, message, path, found, allowed }, index) => {
    const at = formatPath(path)
    return {
      severity: 'error',
      code,
      message,
      ...(document.file !== undefined && { file: document.file }),
      ...places[index],
      ...(at && { path: at }),
      ...(found !== undefined && { found }),
      ...(allowed && { allowed }),
    }
  })
}

const nothing: Problem = { severity: 'error', code: 'DOCUMENT_EMPTY', message: 'there is nothing' }
const tooMany: Problem = { severity: 'error', code: 'DOCUMENT_PROBLEMS_MORE', message: 'more problems follow' }

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}

/** What the reader quotes is a piece of the text. */
function hideWords({ found: _found, ...problem }: Problem): Problem {
  return hideKeys(problem)
}

/** Names of fields that are no plain words may be personal data as well, e.g. names of recordings. */
function hideKeys(problem: Problem): Problem {
  if (problem.path === undefined) return problem
  return { ...problem, path: problem.path.replaceAll(/\["(?:[^"\\]|\\.)*"\]/g, '[…]') }
}
