/** What the process of an isolated plugin may take, and how often it is started anew. */
export interface IsolationBounds {
  /** To start and to load its code; to open it, the same again. */
  loadMsMax: number
  hookMsMax: number
  /** Of V8. */
  heapMiBMax: number
  /** Of all the process, as far as the system tells it. */
  memoryMiBMax: number
  /** All that it prints and answers between two calls. */
  outputBytesMax: number
  /** Before the first new start; each further one waits four times as long. */
  pauseMs: number
  /** Ends in a row; from then on it rests. */
  endsMax: number
  restMs: number
}

export const isolationBounds: IsolationBounds = {
  loadMsMax: 10_000,
  hookMsMax: 5000,
  heapMiBMax: 256,
  memoryMiBMax: 512,
  outputBytesMax: 1024 * 1024,
  pauseMs: 100,
  endsMax: 5,
  restMs: 5 * 60_000,
}
