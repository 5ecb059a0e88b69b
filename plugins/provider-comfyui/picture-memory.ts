/** Rounded up, so that pictures of nearly one size use the same memory. */
const stepBytes = 256 * 1024
const sparesMax = 4
const spareSizeBytesMax = 32 * 1024 * 1024

/**
 * Memory for pictures that another thread reads without a copy. What was given back is used again: memory that the system
 * hands out anew costs more time than the picture's bytes do.
 */
export class PictureMemory {
  readonly #spares: SharedArrayBuffer[] = []

  /** All parts in one, `sizeBytes` long. */
  join(parts: readonly Buffer[], sizeBytes: number): Buffer {
    const whole = Buffer.from(this.#take(sizeBytes), 0, sizeBytes)
    let at = 0
    for (const part of parts) at += part.copy(whole, at)
    return whole
  }

  /** Nobody reads these bytes any more. Others than those of `join` are let go. */
  giveBack({ buffer }: Buffer): void {
    if (!(buffer instanceof SharedArrayBuffer) || buffer.byteLength > spareSizeBytesMax) return
    if (this.#spares.length < sparesMax && !this.#spares.includes(buffer)) this.#spares.push(buffer)
  }

  #take(sizeBytes: number): SharedArrayBuffer {
    const fit = this.#spares.findIndex(({ byteLength }) => byteLength >= sizeBytes)
    const [spare] = fit < 0 ? [] : this.#spares.splice(fit, 1)
    return spare ?? new SharedArrayBuffer(Math.ceil(sizeBytes / stepBytes) * stepBytes)
  }
}
