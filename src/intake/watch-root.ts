import { type FSWatcher, watch } from 'chokidar'
import { join, relative, sep } from 'node:path'
import { depthMax, type IntakeRoot, isIgnoredFolder } from './find-drops.js'

export interface RootHints {
  /** Something happened to a file, or to its `.ready` companion. */
  touched(path: string): void
  /** A folder is watched from now on, and may hold drops already. */
  folderAdded(path: string): void
  failed(error: unknown): void
}

export const readyEnding = '.ready'
const folderSettlesMs = 500

/**
 * Hints about a folder, none of which is certain to come. Only folders are watched, and what they tell of their files is
 * taken as it comes: a watch of its own for every file, or a look at the whole folder first, would cost more than the hint
 * is worth where thousands of drops lie.
 */
export function watchRoot(root: IntakeRoot, hints: RootHints): FSWatcher {
  const watcher = watch(root.folder, {
    ignoreInitial: true,
    followSymlinks: false,
    depth: depthMax,
    ignored: (path, stats) => {
      if (stats && !stats.isDirectory()) return true
      // Only names below the root count: a home may itself lie in a hidden folder.
      const names = relative(root.folder, path).split(sep)
      return names[0] !== '..' && names.some(isIgnoredFolder)
    },
  })
  // A folder is told of before it is watched: what comes into it in between is found by looking once more.
  watcher.on('addDir', path => {
    hints.folderAdded(path)
    setTimeout(() => hints.folderAdded(path), folderSettlesMs).unref()
  })
  watcher.on('ready', () => hints.folderAdded(root.folder)).on('error', hints.failed)
  watcher.on('raw', (_event, name: unknown, details) => {
    // Where the system does not say which file it was, the scan will find it.
    const { watchedPath } = details as { watchedPath?: string }
    if (typeof name !== 'string' || watchedPath === undefined) return
    const path = join(watchedPath, name)
    hints.touched(path.endsWith(readyEnding) ? path.slice(0, -readyEnding.length) : path)
  })
  return watcher
}
