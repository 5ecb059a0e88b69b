import { basename, relative } from 'node:path'
import type { Config } from '../config/config.js'
import { failure, FoundryError } from '../errors.js'
import { findNearMiss } from '../files/near-miss.js'
import { readDrop } from '../library/drop.js'
import { readDocument } from '../library/read-document.js'
import { identityTalentId } from '../mixing/choose-loras.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import { findDropFiles } from './find-drop-files.js'
import type { Terminal } from './terminal.js'

/** A persona as somebody named it. */
export interface FoundKit {
  kit: PersonaKit
  /** Of the kit; absent where only a talent of that name is here. */
  path?: string
}

/** Drops of a home that are looked into for an id. */
const looksMax = 5000
const kitSizeBytesMax = 1 << 20

/**
 * A persona kit by its file, by its `dot_id` among the drops of the home, or by the id of an identity talent, which is a persona
 * without a description. Throws DROP_INVALID for a file that is no valid persona kit, PERSONA_UNKNOWN with the nearest name.
 */
export async function findKit(
  name: string,
  { config, talents, terminal }: { config: Config; talents: readonly string[]; terminal: Terminal },
): Promise<FoundKit> {
  if (/[\\/]|\.(?:ya?ml|json)$/i.test(name)) return readKit(name, terminal)
  const identities = identityTalentId({ dot_id: '' })
  const id = name.startsWith(identities) ? name.slice(identities.length) : name
  const pathsById = await kitsIn(config.paths.manifests)
  const [path, other] = pathsById.get(id) ?? []
  if (other !== undefined) terminal.note(`${other} has the same dot_id: this is ${path}`)
  if (path !== undefined) return readKit(path, terminal)
  const ids = talents.filter(each => each.startsWith(identities)).map(each => each.slice(identities.length))
  if (ids.includes(id)) return { kit: { dot_id: id, version: '0.0.0' } }
  const known = [...new Set([...pathsById.keys(), ...ids])].sort()
  const meant = findNearMiss(id, known)
  throw failure('PERSONA_UNKNOWN', { persona: name, ...(meant !== undefined && { meant }), known })
}

async function readKit(path: string, terminal: Terminal): Promise<FoundKit> {
  const [file = path] = await findDropFiles([path])
  const { drop, problems } = await readDrop(file)
  if (!drop) throw failure('DROP_INVALID', { drop: basename(file), problems })
  terminal.problems(problems)
  if (drop.kind === 'persona-kit') return { kit: drop.kit, path: file }
  throw failure('USAGE_INVALID', {
    problem: `${relative(process.cwd(), file)} is a ${drop.kind.replace('-', ' ')}`,
    next: 'name one persona kit, whose mix is to be seen',
  })
}

/** Where the kits of a folder lie, by `dot_id`. What is no kit is passed over: it is told when it is rendered. */
async function kitsIn(folder: string): Promise<Map<string, string[]>> {
  const paths = new Map<string, string[]>()
  for (const path of (await dropsIn(folder)).slice(0, looksMax)) {
    const read = await readDocument(path, { file: basename(path), sizeBytesMax: kitSizeBytesMax })
    const id = 'problem' in read ? undefined : (read.document.value as { dot_id?: unknown } | null | undefined)?.dot_id
    if (typeof id === 'string') paths.set(id, [...(paths.get(id) ?? []), path])
  }
  return paths
}

/** A home may have none. */
async function dropsIn(folder: string): Promise<string[]> {
  try {
    return await findDropFiles([folder])
  } catch (error) {
    if (error instanceof FoundryError) return []
    throw error
  }
}
