import { failure } from '../errors.js'

/** Of a home; the oldest are forgotten first. Two megabytes. */
const picturesMax = 10_000

/**
 * Finds a server that gives the same picture for every job. Another seed never gives the same pixels; other words may, where a model does
 * not heed them.
 */
export class RepeatedPictures {
  private readonly seeds = new Map<string, number>()

  /** Throws OUTPUT_INVALID where a picture of the run has these pixels, and was asked for with another seed. */
  check(run: string, { pixelSha256, seed }: { pixelSha256: string; seed: number }): void {
    const key = `${run} ${pixelSha256}`
    const known = this.seeds.get(key)
    if (known !== undefined && known !== seed) {
      const reason =
        'it is, pixel by pixel, another picture of this run, which has another seed: the server repeats itself'
      throw failure('OUTPUT_INVALID', { reason })
    }
    const [oldest] = this.seeds.keys()
    if (this.seeds.size >= picturesMax && oldest !== undefined) this.seeds.delete(oldest)
    this.seeds.set(key, seed)
  }
}
