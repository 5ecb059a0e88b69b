/** The name that was most likely meant; undefined when none is close. Spelling style (`dotId`, `dot_id`) does not count. */
export function findNearMiss(written: string, names: readonly string[]): string | undefined {
  if (written.length > LENGTH_MAX) return undefined
  const plain = plainForm(written)
  const ranked = names
    .filter(name => name.length <= LENGTH_MAX)
    .map(name => ({ name, distance: editDistance(plain, plainForm(name)) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.floor(Math.min(plain.length, best.name.length) / 3) ? best.name : undefined
}

const LENGTH_MAX = 64

function plainForm(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
}

/** Insertions, deletions, replacements and swaps of neighbours that make one word of the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (beforeLast[column - 2] ?? 0) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[to.length] ?? 0
}
