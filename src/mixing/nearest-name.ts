/** The known name that a misspelt one most likely means, or undefined where none is near. Case does not count. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const longestTypo = Math.max(1, Math.floor(name.length / 3))
  let nearest: string | undefined
  let fewest = longestTypo + 1
  for (const candidate of known) {
    // Names this different in length are never near: a very long name from a file costs nothing.
    if (Math.abs(candidate.length - name.length) >= fewest) continue
    const edits = countEdits(name.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) [nearest, fewest] = [candidate, edits]
  }
  return nearest
}

/** Levenshtein distance: insertions, removals and replacements of one character. */
function countEdits(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(previous, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, at(previous, column) + 1, at(current, column - 1) + 1))
    }
    previous = current
  }
  return at(previous, to.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] as number // every caller stays inside the row
}
