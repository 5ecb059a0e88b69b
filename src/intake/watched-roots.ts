import { relative, sep } from 'node:path'
import type { Config } from '../config/config.js'
import type { IntakeRoot } from './find-drops.js'

/** The folders in which drops arrive, the innermost first. A folder that is named twice counts as what it was named first. */
export function watchedRoots({ paths, callFolders }: Pick<Config, 'paths' | 'callFolders'>): IntakeRoot[] {
  const roots: IntakeRoot[] = [
    { folder: paths.manifests, kind: 'manifests' },
    ...callFolders.map(folder => ({ folder, kind: 'calls' as const })),
  ]
  return roots
    .filter((root, at) => roots.findIndex(({ folder }) => folder === root.folder) === at)
    .toSorted((a, b) => b.folder.length - a.folder.length)
}

/** The innermost of the roots around a path. */
export function rootAround(roots: readonly IntakeRoot[], path: string): IntakeRoot | undefined {
  return roots.find(({ folder }) => isInside(folder, path))
}

export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`)
}
