import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import { readSources, type Sources } from '../library/sources.js'
import type { RunState } from '../record/state.js'
import type { RunFile, RunPlan } from '../schema/run.js'

/**
 * The private texts of a run by series, read again from its call folder and held to the hashes of the plan.
 * Throws SOURCE_CHANGED when one is not what was accepted.
 */
export async function privateTextsOf(run: RunState, { plan }: RunFile, config: Config): Promise<Map<number, string>> {
  if (plan.series.every(series => !series.privateSource)) return new Map()
  const { drop: path, callFolder } = run.accepted
  const { callFolders: callRoots, privacy } = config
  const { calls } = await readSources(path, { callFolder, callRoots, privacy })
  if (!calls || callFolder === undefined) throw failure('SOURCE_CHANGED', { what: 'The persona manifest' })
  return privateTextsIn(plan, calls)
}

/** The private texts of a plan by series. Throws SOURCE_CHANGED when one is not what was planned. */
export function privateTextsIn({ series }: RunPlan, calls: NonNullable<Sources['calls']>): Map<number, string> {
  return new Map(
    series.flatMap(({ privateSource: source }, at): [number, string][] => {
      if (!source) return []
      const text =
        source.kind === 'persona'
          ? calls.personas.find(each => each.call === source.call && each.speaker === source.speaker)?.text
          : calls.backdrops.find(each => each.call === source.call)?.text
      if (text?.sha256 !== source.sha256)
        throw failure('SOURCE_CHANGED', { what: `The ${source.kind} text of call ${source.call}` })
      return [[at, text.text]]
    }),
  )
}
