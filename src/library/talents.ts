import type { Problem } from '../errors.js'
import { findKits } from './talents-find.js'
import { readTalent, type KitOptions, type Talent } from './talents-kit.js'

export { readTalent, type Talent, type TalentWeights } from './talents-kit.js'

export interface Library {
  /** By id, the unusable ones too: each says why in its own `problems`. */
  talents: Talent[]
  /** Kits without a `talent.json` that can be understood. */
  refused: RefusedKit[]
  /** Of all kits and of the folders they were looked for in. */
  problems: Problem[]
}

export interface RefusedKit {
  folder: string
  problems: readonly Problem[]
}

/**
 * Reads all kits at most four folders below `folders`, one after the other. Of two kits with the same id the one found
 * first counts. Throws nothing that the files could cause.
 */
export async function readTalents(folders: readonly string[], options: KitOptions = {}): Promise<Library> {
  const { kits, problems } = await findKits(folders)
  const talentById = new Map<string, Talent>()
  const refused: RefusedKit[] = []
  for (const folder of kits) {
    const read = await readTalent(folder, options)
    const first = read.talent && talentById.get(read.talent.id)
    const found = first ? [...read.problems, duplicate(folder, first)] : read.problems
    problems.push(...found)
    if (read.talent && !first) talentById.set(read.talent.id, read.talent)
    else refused.push({ folder, problems: found })
  }
  return { talents: [...talentById.values()].sort(byId), refused, problems }
}

function duplicate(folder: string, { id, folder: firstFolder }: Talent): Problem {
  return {
    severity: 'error',
    code: 'TALENT_DUPLICATE',
    message: `another kit is ${id} already: this one is left out`,
    file: folder,
    found: firstFolder,
  }
}

function byId(a: Talent, b: Talent): number {
  return a.id < b.id ? -1 : 1
}
