import { type FileStamp, sameStamp } from '../files/read-bounded.js'

interface Sight {
  stamp: FileStamp | undefined
  since: number
}

/** Since when files look as they do, on our own clock: those of file servers differ. */
export class StillWatch {
  private readonly sights = new Map<string, Sight>()

  /** For how many milliseconds a file, or the lack of one, has looked like this. */
  stillMs(path: string, stamp: FileStamp | undefined, now: number): number {
    const seen = this.sights.get(path)
    if (seen && (seen.stamp === stamp || sameStamp(seen.stamp, stamp))) return now - seen.since
    this.sights.set(path, { stamp, since: now })
    return 0
  }

  forget(path: string): void {
    this.sights.delete(path)
  }
}
