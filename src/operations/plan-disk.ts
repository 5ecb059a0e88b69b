import { indexSlots, slotAt } from '../plan/slots.js'
import { readRunFile } from '../record/run-folder.js'
import type { RunState } from '../record/state.js'
import type { RunPlan } from '../schema/run.js'
import type { Foundry } from './foundry.js'

/** What pictures of a home take on the disk, by size. */
export interface PictureBytes {
  bySize: ReadonlyMap<string, number>
  /** Of all sizes together; absent in a home without a picture. */
  perPixel?: number
}

export interface DiskNeed {
  bytes: number
  /** `measured` on pictures of the same size in this home, `estimated` by their pixels. */
  basis: 'measured' | 'estimated'
}

const runsMax = 8
const picturesPerRunMax = 200
/** Of a PNG of a rendered picture, where a home has none yet. */
const bytesPerPixel = 1.6

/** From the newest runs of a renderer that have pictures. */
export async function measurePictures(foundry: Foundry, renderer: string): Promise<PictureBytes> {
  const sums = new Map<string, { bytes: number; count: number; pixels: number }>()
  const all = [...foundry.ledger.state.runs.values()].reverse()
  const some = all.filter(run => run.accepted.renderer === renderer && run.done.size > 0).slice(0, runsMax)
  for (const run of some) {
    for (const { width, height, bytes } of await picturesOf(foundry, run)) {
      const size = sizeKey({ width, height })
      const sum = sums.get(size) ?? { bytes: 0, count: 0, pixels: width * height }
      sums.set(size, { ...sum, bytes: sum.bytes + bytes, count: sum.count + 1 })
    }
  }
  const pixels = [...sums.values()].reduce((sum, each) => sum + each.pixels * each.count, 0)
  const bytes = [...sums.values()].reduce((sum, each) => sum + each.bytes, 0)
  return {
    bySize: new Map([...sums].map(([size, each]) => [size, each.bytes / each.count])),
    ...(pixels > 0 && { perPixel: bytes / pixels }),
  }
}

/** For so many pictures of a plan, which are alike in their sizes throughout. */
export function diskFor(plan: RunPlan, pictures: number, { bySize, perPixel = bytesPerPixel }: PictureBytes): DiskNeed {
  const parts = plan.series
    .filter(series => series.skipped === undefined)
    .map(series => {
      const { width, height, views, variations, seeds, count } = series
      const slots = views.length * variations.length * (seeds?.length ?? count)
      const known = bySize.get(sizeKey(series))
      return { slots, bytes: known ?? width * height * perPixel, isMeasured: known !== undefined }
    })
  const slots = parts.reduce((sum, each) => sum + each.slots, 0)
  const bytes = parts.reduce((sum, each) => sum + each.slots * each.bytes, 0)
  const basis = parts.every(each => each.isMeasured) ? 'measured' : 'estimated'
  return { bytes: slots === 0 ? 0 : Math.round((bytes / slots) * pictures), basis }
}

async function picturesOf({ runFolder }: Foundry, { accepted, done }: RunState) {
  try {
    const { run: file } = await readRunFile(runFolder(accepted.run))
    const index = indexSlots(file.plan)
    const some = [...done].slice(0, picturesPerRunMax)
    return some.flatMap(([ordinal, { sizeBytes }]) => {
      const series = file.plan.series[slotAt(index, ordinal)?.series ?? -1]
      return series ? [{ width: series.width, height: series.height, bytes: sizeBytes }] : []
    })
  } catch {
    // A run whose folder was moved away tells nothing.
    return []
  }
}

function sizeKey({ width, height }: { width: number; height: number }): string {
  return `${width}×${height}`
}
