import { basename, dirname, isAbsolute, relative, sep } from 'node:path'
import { hashJson } from '../files/hash.js'
import type { Drop } from '../library/drop.js'
import type { RunState } from '../record/state.js'
import type { RunPlan } from '../schema/run.js'

export interface RunNaming {
  drop: Drop
  /** Absolute, of the dropped file. */
  path: string
  /** Absolute; a call folder receives pictures of its own, so the same drop in another one is another run. */
  callFolder: string | undefined
  plan: RunPlan
  /** The watched folder or the home. */
  root: string
}

/** Key and id of a run: the same drop with the same plan has the same id. Neither tells where on the machine it lies. */
export function nameRun({ drop, path, callFolder, plan, root }: RunNaming): { key: string; run: string } {
  const key = keyOf(drop, path, root)
  const parts = [key, hashJson(plan), ...(callFolder === undefined ? [] : [callFolder])]
  return { key, run: `${slugOf(drop, path, callFolder)}-${hashJson(parts).slice(0, 10)}` }
}

/** The id itself, or with the first number behind it that is free. */
export function freshId(base: string, known: ReadonlyMap<string, unknown>): string {
  if (!known.has(base)) return base
  let number = 2
  while (known.has(`${base}-${number}`)) number++
  return `${base}-${number}`
}

/** The newest run of this name that was begun anew and has not ended: whoever asks for the same again means it. */
export function findUnfinished(
  base: string,
  known: ReadonlyMap<string, Pick<RunState, 'accepted' | 'finished' | 'isCancelled'>>,
): string | undefined {
  const unfinished = [...known].filter(
    ([run, { accepted, finished, isCancelled }]) =>
      accepted.fresh && !finished && !isCancelled && run.startsWith(base) && /^(-\d+)?$/.test(run.slice(base.length)),
  )
  return unfinished.at(-1)?.[0]
}

/** The path under its root, with `/`. A drop from elsewhere is known by its name, a persona manifest also by its call folder. */
function keyOf(drop: Drop, path: string, root: string): string {
  const under = relative(root, path)
  if (!under.startsWith('..') && !isAbsolute(under)) return under.split(sep).join('/')
  const isInCallFolder = drop.kind === 'persona-manifest' && basename(dirname(path)) === 'characters'
  return path
    .split(/[\\/]/)
    .slice(isInCallFolder ? -3 : -1)
    .join('/')
}

function slugOf(drop: Drop, path: string, callFolder: string | undefined): string {
  return (
    nameOf(drop, path, callFolder)
      .normalize('NFKD')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || 'run'
  )
}

function nameOf(drop: Drop, path: string, callFolder: string | undefined): string {
  if (drop.kind === 'persona-kit') return drop.kit.dot_id
  if (drop.kind === 'render-order') return drop.order.name ?? basename(path).replace(/\.[^.]+$/, '')
  return basename(callFolder ?? dirname(path))
}
