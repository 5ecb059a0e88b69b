import { basename, dirname, resolve } from 'node:path'
import type { Problem } from '../errors.js'
import { hashJson } from '../files/hash.js'
import { type Drop, readDrop } from './drop.js'
import { type CallFolder, type CallFolderOptions, readCallFolder } from './persona-manifest.js'
import type { DropFile } from './read-document.js'
import { readAskedReferences, type ReferenceFile } from './references.js'

/** A drop with everything that it names, read once: what is proven is what is planned. */
export interface Sources {
  /** Absolute. */
  path: string
  /** Absent when there is an error among the problems of the drop itself. */
  drop?: Drop
  /** The texts of a persona manifest. */
  calls?: CallFolder
  /** Pictures that were asked for instead of those that the drop names. */
  asked?: readonly ReferenceFile[]
  problems: Problem[]
  /** Of the dropped file. */
  sha256: string
  /** Of the drop and of every text, kit and reference picture that it names: another one is another version of the drop. */
  version: string
  files: DropFile[]
}

export interface SourcesOptions {
  /** Where the drop and what it names must lie. Without it see `readDrop`. */
  root?: string | undefined
  /** Where a persona manifest finds its texts, if not around it. */
  callFolder?: string | undefined
  /** Further folders in which texts of a persona manifest may lie. */
  callRoots: readonly string[]
  /** Absolute paths of reference pictures instead of those that the drop names. */
  references?: readonly string[] | undefined
  /** What happens to private data in the texts. */
  privacy: CallFolderOptions['privacy']
}

/** Reads a drop, the kits of an order, the texts of a persona manifest. All mistakes are returned, none is thrown. */
export async function readSources(
  path: string,
  { root, callFolder, callRoots, privacy, references }: SourcesOptions,
): Promise<Sources> {
  const read = await readDrop(path, { root })
  const { drop, sha256 } = read
  const manifestPath = resolve(path)
  const calls =
    drop?.kind === 'persona-manifest'
      ? await readCallFolder(manifestPath, drop.manifest, {
          runFolder: callFolderOf(manifestPath, callFolder),
          roots: callRoots,
          ...(privacy && { privacy }),
        })
      : undefined
  const asked = references && (await readAskedReferences(references))
  return {
    path: manifestPath,
    ...(drop && { drop }),
    ...(calls && { calls }),
    ...(asked && { asked: asked.references }),
    problems: [...read.problems, ...(calls?.problems ?? []), ...(asked?.problems ?? [])],
    sha256,
    version: hashJson([sha256, ...namedHashes(drop, calls)]),
    files: [...read.files, ...(calls?.files ?? [])],
  }
}

/** `<call folder>/characters/persona_manifest.json`, unless the user says where the call folder is. */
export function callFolderOf(manifestPath: string, callFolder?: string): string {
  if (callFolder !== undefined) return resolve(callFolder)
  const folder = dirname(manifestPath)
  return basename(folder) === 'characters' ? dirname(folder) : folder
}

function namedHashes(drop: Drop | undefined, calls: CallFolder | undefined): string[] {
  if (drop?.kind === 'persona-kit') return (drop.references ?? []).map(each => each.sha256)
  if (drop?.kind === 'render-order')
    return [...drop.kits.flatMap(kit => [kit, ...(kit.references ?? [])]), ...(drop.references ?? [])].map(
      each => each.sha256,
    )
  if (!calls) return []
  return [...calls.personas, ...calls.backdrops].map(each => each.text?.sha256 ?? '')
}
