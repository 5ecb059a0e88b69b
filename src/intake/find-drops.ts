import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDropName } from '../library/drop.js'

/** A watched folder. In call roots only persona manifests are drops. */
export interface IntakeRoot {
  folder: string
  kind: 'manifests' | 'calls'
}

/** Folders that hold what pipelines and the foundry write, never drops. */
const foldersIgnored = new Set(['comfyui_images', 'speakers', 'node_modules', 'examples'])
const depthMax = 8
const filesMax = 500_000

/** Every file under the root that may be a drop, and every problems file beside one. Unreadable folders are left out. */
export async function findDrops(root: IntakeRoot): Promise<{ drops: string[]; answers: string[] }> {
  const found = { drops: [] as string[], answers: [] as string[] }
  await walk(root.folder, root, 0, found)
  return found
}

/** Whether a path under the root is a drop by its name and folders. */
export function isDropPath(root: IntakeRoot, names: readonly string[]): boolean {
  const name = names.at(-1) ?? ''
  if (names.length > depthMax + 1 || names.some(each => foldersIgnored.has(each) || each.startsWith('.'))) return false
  if (root.kind === 'calls') return name === 'persona_manifest.json'
  return names.includes('characters') ? name === 'persona_manifest.json' : isDropName(name)
}

async function walk(
  folder: string,
  root: IntakeRoot,
  depth: number,
  found: { drops: string[]; answers: string[] },
): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (depth < depthMax && !foldersIgnored.has(entry.name) && !entry.name.startsWith('.')) {
        await walk(path, root, depth + 1, found)
      }
    } else if (entry.name.endsWith('.problems.json')) {
      found.answers.push(path)
    } else if (found.drops.length < filesMax && isDropPath(root, path.slice(root.folder.length + 1).split(/[\\/]/))) {
      found.drops.push(path)
    }
  }
}
