import type { Problem } from '../errors.js'
import { isInRange } from './version-range.js'

/** What a plugin says of itself and of what it needs. */
export interface Needing {
  name: string
  /** What problems call it. */
  file: string
  /** Absent where it says none. */
  version?: string | undefined
  needs: Readonly<Record<string, string>>
}

/**
 * Pure: who may start, each behind those that it needs, and why the others may not: what they need is not there, has another
 * version, is left out itself, or needs them in turn. `foundry` is its version.
 */
export function resolveNeeds(plugins: readonly Needing[], foundry: string): { order: string[]; problems: Problem[] } {
  const byName = new Map(plugins.map(each => [each.name, each]))
  const problems: Problem[] = []
  const unfit = new Set<string>()
  const refuse = (
    { name, file }: Needing,
    problem: Pick<Problem, 'code' | 'message' | 'path' | 'found' | 'allowed'>,
  ) => {
    unfit.add(name)
    problems.push({ severity: 'error', file, ...problem })
  }
  for (const each of plugins)
    for (const problem of lacksOf(each, name => (name === 'foundry' ? { version: foundry } : byName.get(name))))
      refuse(each, problem)
  for (const circle of findCircles(byName)) {
    const found = [...circle, circle[0]].join(' → ')
    const message = 'It needs itself, by way of what it needs'
    for (const name of circle) {
      const each = byName.get(name)
      if (each) refuse(each, { code: 'PLUGIN_NEEDS_CIRCLE', message, path: 'needs', found })
    }
  }
  const order: string[] = []
  const place = (each: Needing) => {
    if (unfit.has(each.name) || order.includes(each.name)) return
    for (const name of Object.keys(each.needs)) {
      const needed = byName.get(name)
      if (!needed) continue
      place(needed)
      if (!unfit.has(name)) continue
      const message = 'What it needs is left out itself'
      refuse(each, { code: 'PLUGIN_NEED_LEFT_OUT', message, path: `needs.${name}`, found: name })
    }
    if (!unfit.has(each.name)) order.push(each.name)
  }
  plugins.forEach(place)
  return { order, problems }
}

type Lack = Pick<Problem, 'code' | 'message' | 'path' | 'found' | 'allowed'>

function lacksOf({ needs }: Needing, find: (name: string) => { version?: string | undefined } | undefined): Lack[] {
  return Object.entries(needs).flatMap(([name, range]): Lack[] => {
    const path = `needs.${name}`
    const needed = find(name)
    const fits = isInRange(needed?.version ?? '', range)
    if (fits === undefined) {
      const allowed = 'such as ^1.2.0, ~1.2, >=1.0.0 <3.0.0, *'
      return [{ code: 'PLUGIN_RANGE_INVALID', message: 'This is no range of versions', path, found: range, allowed }]
    }
    if (!needed)
      return [{ code: 'PLUGIN_NEED_MISSING', message: 'A plugin that it needs is not there', path, found: name }]
    if (fits || /^\s*\*?\s*$/.test(range)) return []
    const found = needed.version === undefined ? `${name} without a version` : `${name} ${needed.version}`
    return [
      { code: 'PLUGIN_NEED_UNFIT', message: 'What it needs is there in another version', path, found, allowed: range },
    ]
  })
}

/** Each plugin is part of one circle at most: circles that share a plugin are told as one. */
function findCircles(byName: ReadonlyMap<string, Needing>): string[][] {
  const circles: string[][] = []
  const settled = new Set<string>()
  const walk = (name: string, trail: readonly string[]) => {
    const at = trail.indexOf(name)
    if (at >= 0) circles.push(trail.slice(at))
    if (at >= 0 || settled.has(name)) return
    for (const next of Object.keys(byName.get(name)?.needs ?? {})) if (byName.has(next)) walk(next, [...trail, name])
    settled.add(name)
  }
  for (const name of byName.keys()) walk(name, [])
  return circles
}
