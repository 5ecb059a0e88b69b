import { basename, relative, sep } from 'node:path'
import type { Config } from '../config/config.js'
import { isSha256, sha256File } from '../files/hash.js'
import { isInside } from '../intake/watched-roots.js'
import { callFolderOf, readSources } from '../library/sources.js'
import { type RunState, runStateOf } from '../record/state.js'
import { type Difference, verifyRun } from '../record/verify-run.js'
import { referenceIn } from '../workflow/references.js'
import { defineOperation } from './operation.js'
import { talentSha256, textInputs } from './plan-drop.js'
import { findNewestOf } from './find-run.js'
import type { Shelf } from './shelf.js'

/** `file` is where an edited source lies, without the way to it where that is not under the home. */
export interface NamedDifference extends Difference {
  /** The drop, or a file that it names, says something else by now: nothing of the run is damaged. */
  isEdited?: true
  file?: string
}

export const verify = defineOperation({
  name: 'verify',
  summary: 'Hashes every input and output of a run again and names each difference',
  route: { method: 'POST', path: '/runs/:id/verify' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id: { type: 'string', minLength: 1, maxLength: 128 } },
  },
  async run(foundry, input) {
    const { run, others } = findNewestOf(foundry, input.id)
    const { run: name, drop, files } = run.accepted
    const { finished, counts, slots } = run
    const shelf = await foundry.shelf()
    const paths = pathsByName(shelf, { drop, ...files })
    const hashes = await hashesByName(shelf, run, foundry.config)
    const hashNow = async (wanted: string) => {
      const reference = referenceIn(wanted)
      if (reference !== undefined) return foundry.references.hashOf(reference)
      const path = paths.get(wanted)
      return path === undefined ? hashes.get(wanted) : (await sha256File(path)).sha256
    }
    const verification = await verifyRun(foundry.runFolder(name), hashNow, {
      reportSha256: finished?.reportSha256,
      isFinished: finished !== undefined,
    })
    // Every picture that was asked for was skipped with a reason: there is none to look at, and none is missing.
    const isEmpty = finished !== undefined && counts.skipped === slots.length
    const { home } = foundry.config.paths
    const differences = verification.differences.map(each => nameSource(each, paths.get(each.what), home))
    return { run: name, state: runStateOf(run), isEmpty, others, ...verification, differences }
  },
})

/** The drop, the kits of an order, the private texts of a persona manifest. */
const sourceNames = /^(drop$|persona:|text:|transcript:)/

function nameSource(difference: Difference, path: string | undefined, home: string): NamedDifference {
  const { what, found } = difference
  if (!sourceNames.test(what)) return difference
  const file = path && (isInside(home, path) ? relative(home, path).split(sep).join('/') : basename(path))
  return {
    ...difference,
    // One that is gone or cannot be read was not merely edited.
    ...(isSha256(found) && { isEdited: true }),
    ...(file !== undefined && { file }),
  }
}

/** Where the inputs of plans lie now, by logical name. */
function pathsByName(shelf: Shelf, files: Record<string, string>): Map<string, string> {
  const paths = new Map<string, string>()
  for (const [id, { path }] of shelf.templates) paths.set(`template:${id}`, path)
  for (const { name, path } of shelf.styleFiles) paths.set(`style:${name}`, path)
  for (const [name, { path }] of shelf.workflows) paths.set(`workflow:${name}`, path)
  for (const [id, { weights }] of shelf.talents) if (weights) paths.set(`weights:${id}`, weights.path)
  for (const [name, path] of Object.entries(files)) paths.set(name, path)
  return paths
}

/** Inputs that are no files as they lie there: what a kit says, and the private texts as they were sent. */
async function hashesByName(shelf: Shelf, run: RunState, config: Config): Promise<Map<string, string>> {
  const talents = [...shelf.talents].map(([id, talent]) => [`talent:${id}`, talentSha256(talent)] as const)
  return new Map([...talents, ...(await hashTexts(run, config))])
}

async function hashTexts({ accepted }: RunState, config: Config): Promise<(readonly [string, string])[]> {
  if (accepted.dropKind !== 'persona-manifest') return []
  const { drop, callFolder = callFolderOf(drop) } = accepted
  const { callFolders: callRoots, privacy } = config
  const { calls } = await readSources(drop, { callFolder, callRoots, privacy })
  return calls ? textInputs(calls).map(({ name, sha256 }) => [name, sha256]) : []
}
