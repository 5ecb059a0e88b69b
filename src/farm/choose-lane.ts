/** Pure: the lane that a free place takes its next job from: the hot one while it has jobs, else the first. */
export function chooseLane(waiting: ReadonlyMap<string, number>, hot: string | undefined): string | undefined {
  if (hot !== undefined && (waiting.get(hot) ?? 0) > 0) return hot
  for (const [lane, count] of waiting) if (count > 0) return lane
  return undefined
}
