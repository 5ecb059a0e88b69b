import { failure } from '../errors.js'
import { findNearMiss } from '../files/near-miss.js'
import { findPublished, type PublishedSchema, publishedSchemas } from '../schema/publish.js'
import { exitCodes } from './exit-codes.js'
import type { Terminal } from './terminal.js'

/** `foundry schema`: one schema, or the names of all. Throws USAGE_INVALID. */
export function printSchema(name: string | undefined, terminal: Terminal): number {
  const names = Object.keys(publishedSchemas)
  if (name === undefined) {
    terminal.answer(names)
    terminal.say(names.join('\n'))
    return exitCodes.done
  }
  const schema = findSchema(name, names)
  terminal.answer(schema)
  terminal.say(JSON.stringify(schema, null, 2))
  return exitCodes.done
}

/** By id, or without its version: then the newest. */
function findSchema(name: string, names: readonly string[]): PublishedSchema {
  const newest = names.filter(each => each.split('/')[0] === name).at(-1)
  const found = findPublished(newest ?? name)
  if (found) return found
  const meant = findNearMiss(
    name,
    names.flatMap(each => [each, each.split('/')[0] ?? '']),
  )
  const hint = meant === undefined ? '' : `, did you mean "${meant}"?`
  throw failure('USAGE_INVALID', { problem: `No schema is named "${name}"${hint}`, next: names.join(', ') })
}
