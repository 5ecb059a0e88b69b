/**
 * Keeps pictures on their way from workers to the owner of a home, by name. Who reads hashes them again: a storage proves nothing.
 * A name has at most 166 characters of `[a-z0-9-]` and stands for its bytes. A method that rejects may have done its work, and may be
 * asked again.
 */
export interface Storage {
  /** Keeps bytes; they outlive a loss of power once it answers. What lies under the name already are the same bytes. */
  put(name: string, bytes: Buffer): Promise<void>
  /** The bytes, where they are there and no more than `sizeBytesMax`. */
  get(name: string, sizeBytesMax: number): Promise<Buffer | undefined>
  /** All that is there, each with when it was put, in milliseconds since the epoch. */
  list(): Promise<readonly { name: string; putAt: number }[]>
  /** Forgets what has this name, if anything has. */
  remove(name: string): Promise<void>
  close(): Promise<void>
}
