import { type FoundryState, usualCourse } from './state.js'

/** A state as plain JSON: maps as `{map: entries}`, typed arrays as `{bytes, of}` in base64. */
export function toSnapshot(state: FoundryState): object {
  return encode(state) as object
}

/** Puts the state of a snapshot in the place of `state`'s own. The snapshot is ours: its bytes are checksummed. */
export function fromSnapshot(state: FoundryState, snapshot: unknown): void {
  Object.assign(state, { servers: new Map(), acts: [] }, decode(snapshot))
  for (const [id, run] of state.runs) state.runs.set(id, { ...usualCourse, ...run })
}

const undefinedMark = { none: true }

function encode(value: unknown): unknown {
  if (value === undefined) return undefinedMark
  if (value instanceof Map) return { map: [...value].map(([key, each]) => [key, encode(each)]) }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64'), of: 1 }
  if (value instanceof Uint16Array) {
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'), of: 2 }
  }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value !== 'object' || value === null) return value
  return { is: Object.entries(value).map(([key, each]) => [key, encode(each)]) }
}

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  // Only `encode` writes these marks, around every object, so none of them can come from the data itself.
  const { map, is, bytes, of } = value as {
    map?: [unknown, unknown][]
    is?: [string, unknown][]
    bytes?: string
    of?: number
  }
  if (map) return new Map(map.map(([key, each]) => [key, decode(each)]))
  if (is) return Object.fromEntries(is.map(([key, each]) => [key, decode(each)]))
  if (bytes === undefined) return undefined
  const raw = new Uint8Array(Buffer.from(bytes, 'base64'))
  return of === 1 ? raw : new Uint16Array(raw.buffer)
}
