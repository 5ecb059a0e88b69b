import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import { readSources } from '../library/sources.js'
import type { RunState } from '../record/state.js'
import type { RunFile } from '../schema/run.js'

/**
 * The private texts of a run by series, read again from its call folder and held to the hashes of the plan.
 * Throws SOURCE_CHANGED when one is not what was accepted.
 */
export async function privateTextsOf(run: RunState, file: RunFile, config: Config): Promise<Map<number, string>> {
  const wanted = file.plan.series.flatMap((series, at) =>
    series.privateSource ? [{ at, source: series.privateSource }] : [],
  )
  if (wanted.length === 0) return new Map()
  const { drop: path, callFolder } = run.accepted
  const { callFolders: callRoots, privacy } = config
  const { calls } = await readSources(path, { callFolder, callRoots, privacy })
  if (!calls || callFolder === undefined) throw failure('SOURCE_CHANGED', { what: 'The persona manifest' })
  return new Map(
    wanted.map(({ at, source }) => {
      const text =
        source.kind === 'persona'
          ? calls.personas.find(each => each.call === source.call && each.speaker === source.speaker)?.text
          : calls.backdrops.find(each => each.call === source.call)?.text
      if (text?.sha256 !== source.sha256)
        throw failure('SOURCE_CHANGED', { what: `The ${source.kind} text of call ${source.call}` })
      return [at, text.text]
    }),
  )
}
