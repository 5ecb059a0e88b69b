import { failure } from '../errors.js'
import { validateDocument } from '../files/validate.js'
import type { FromSchema } from '../schema/from-schema.js'
import type { Foundry } from './foundry.js'

/** One thing that may be asked of the foundry: defined once, reached by API, command line and console. */
export interface Operation<Schema extends object = object, Answer = unknown> {
  name: string
  /** One sentence for help pages and the API's description. */
  summary: string
  input: Schema
  /** Where the API serves it; path parameters and query are part of the input. */
  route: { method: 'GET' | 'POST' | 'DELETE'; path: string }
  run(foundry: Foundry, input: FromSchema<Schema>, caller: Caller): Promise<Answer>
}

/** Who asks, and how far the paths in a question may lead. */
export interface Caller {
  /** For the record. */
  by: string
  /** `home` for all who can reach the API: see `confineToHome`. `machine` for the owner of the files. */
  reach: 'home' | 'machine'
}

/** Keeps the types of an operation's input and answer while it joins the table. */
export function defineOperation<const Schema extends object, Answer>(
  operation: Operation<Schema, Answer>,
): Operation<Schema, Answer> {
  return operation
}

/** Checks the input and runs the operation. Throws OPERATION_INVALID with every problem. */
export async function callOperation<Schema extends object, Answer>(
  operation: Operation<Schema, Answer>,
  foundry: Foundry,
  input: unknown,
  caller: Caller,
): Promise<Answer> {
  const document = { value: input, problems: [], locate: () => undefined }
  const checked = validateDocument<Schema>(operation.input, document)
  if (checked.value === undefined)
    throw failure('OPERATION_INVALID', { operation: operation.name, problems: checked.problems })
  return operation.run(foundry, checked.value, caller)
}
