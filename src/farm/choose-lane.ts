import { isLaneOf } from './engine.js'

/**
 * Pure: the lane that a free place takes its next job from: the hot one while it has jobs, else the first. Lanes of another
 * renderer than the server's are no candidates.
 */
export function chooseLane(
  waiting: ReadonlyMap<string, number>,
  { hot, renderer }: { hot: string | undefined; renderer: string },
): string | undefined {
  if (hot !== undefined && isLaneOf(hot, renderer) && (waiting.get(hot) ?? 0) > 0) return hot
  for (const [lane, count] of waiting) if (count > 0 && isLaneOf(lane, renderer)) return lane
  return undefined
}
