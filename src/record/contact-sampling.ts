/** Tiles of one sheet. More would pass the 16,383 pixels of a WebP side, or be too small to tell apart. */
export const contactTilesMax = 400

/** Whether the sheet of `count` pictures shows this one: all, or `contactTilesMax` of them at even distances. */
export function isSampled(index: number, count: number): boolean {
  const place = (at: number) => Math.floor((at * contactTilesMax) / count)
  return count <= contactTilesMax || index === 0 || place(index) !== place(index - 1)
}
