import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { isDropName } from '../library/drop.js'
import { answerEnding } from './answer-drop.js'

/** A watched folder. In call roots only persona manifests are drops. */
export interface IntakeRoot {
  /** Absolute. */
  folder: string
  kind: 'manifests' | 'calls'
}

export interface FoundDrops {
  drops: string[]
  /** Problems files, whoever wrote them. */
  answers: string[]
  /** Folders that could not be read, the root among them: nothing is known of what lies below. */
  unreadable: string[]
}

/** Folders that hold what pipelines and the foundry write, never drops. */
const foldersIgnored = new Set(['comfyui_images', 'speakers', 'node_modules', 'examples'])
export const depthMax = 8
const filesMax = 500_000

/**
 * Every file under the root (or a folder in it) that may be a drop, and every problems file. Other roots below are left to themselves; links to
 * folders are not followed; links to files, pipes and the like have names and are found like files.
 */
export async function findDrops(
  root: IntakeRoot,
  { others = [], from = root.folder }: { others?: readonly IntakeRoot[]; from?: string } = {},
): Promise<FoundDrops> {
  const found: FoundDrops = { drops: [], answers: [], unreadable: [] }
  const depth = from === root.folder ? 0 : relative(root.folder, from).split(sep).length
  await walk(from, { root, left: new Set(others.map(other => other.folder)), found }, depth)
  return found
}

/** Whether a path is that of a drop under the root, by its name and folders. */
export function isDropPath(root: IntakeRoot, path: string): boolean {
  const names = relative(root.folder, path).split(sep)
  const name = names.pop() ?? ''
  if (names.length > depthMax || names.some(isIgnoredFolder) || name.startsWith('.')) return false
  return root.kind === 'calls' || names.includes('characters') ? name === 'persona_manifest.json' : isDropName(name)
}

export function isIgnoredFolder(name: string): boolean {
  return foldersIgnored.has(name) || name.startsWith('.')
}

interface Walk {
  root: IntakeRoot
  left: ReadonlySet<string>
  found: FoundDrops
}

async function walk(folder: string, { root, left, found }: Walk, depth: number): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (!entries) found.unreadable.push(folder)
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      const isMeant = depth < depthMax && !isIgnoredFolder(entry.name) && !left.has(path)
      if (isMeant) await walk(path, { root, left, found }, depth + 1)
    } else if (entry.name.endsWith(answerEnding)) {
      found.answers.push(path)
    } else if (found.drops.length < filesMax && isDropPath(root, path)) {
      found.drops.push(path)
    }
  }
}
