/** Named counters: at most so many jobs at once whose family, workflow or talents bear the name. */
export type Limits = Readonly<Record<string, number>>

/** The first limit that a job with these tags would exceed, when so many of its kind are under way. */
export function exceededLimit(
  limits: Limits,
  tags: readonly string[],
  underWay: (tag: string) => number,
): string | undefined {
  return tags.find(tag => {
    const most = limits[tag]
    return most !== undefined && underWay(tag) >= most
  })
}
