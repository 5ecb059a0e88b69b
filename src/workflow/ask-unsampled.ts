import type { Problem } from '../errors.js'
import type { Binding, InputRef } from '../schema/binding.js'
import type { ApiGraph } from './api-graph.js'
import { describeInput } from './describe-binding.js'
import { isTextInput } from './node-facts.js'
import { ask, miss } from './questions.js'
import { compareIds, nodeAt } from './walk-graph.js'

/**
 * The questions where no sampler is known behind the saved picture, as in node packs that do all in one node: which text is the
 * prompt, and which number the seed. What `hints` answer is not asked.
 */
export function askUnsampled(
  graph: ApiGraph,
  { among, hints }: { among: ReadonlySet<string>; hints: Partial<Binding> },
): Problem[] {
  const literals = (isWanted: (input: string, value: unknown) => boolean) =>
    [...among].sort(compareIds).flatMap(node =>
      Object.entries(nodeAt(graph, node)?.inputs ?? {})
        .filter(([input, value]) => isWanted(input, value))
        .map(([input]): InputRef => ({ node, input })),
    )
  const texts = literals((input, value) => isTextInput(input) && typeof value === 'string' && !/negative/i.test(input))
  const seeds = literals((input, value) => /seed/i.test(input) && typeof value === 'number')
  const why = 'no sampler is known behind the saved picture'
  const question = (field: 'positive' | 'seed', what: string, refs: readonly InputRef[]) => {
    if (refs.length === 0) return { ...miss(field, `${why}: bind ${field} by hand`), found: classesOf(graph) }
    const candidates = refs.map(ref => describeInput(graph, ref))
    return ask(field, `${why}, so that nothing tells ${what}`, { candidates, example: { [field]: refs.slice(0, 1) } })
  }
  return [
    ...(hints.positive ? [] : [question('positive', 'which text is the prompt', texts)]),
    ...(hints.seed ? [] : [question('seed', 'which number is the seed', seeds)]),
  ]
}

const classesShownMax = 12

function classesOf(graph: ApiGraph): string {
  return [...new Set(Object.values(graph).map(node => node.class_type))].slice(0, classesShownMax).join(', ')
}
