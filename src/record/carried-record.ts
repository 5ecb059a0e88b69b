import { join } from 'node:path'
import { readBounded } from '../files/read-bounded.js'
import { validateValue } from '../files/validate.js'
import { type RequestPart, requestPartSchema, type Trace } from '../schema/trace.js'
import { readPngText } from './png-text.js'
import { traceFile } from './run-folder.js'

/** The PNG chunk that holds the request part of the trace. */
export const traceChunk = 'foundry'
/** The PNG chunk that holds the logical graph, without save prefix. */
export const graphChunk = 'foundry_graph'
export const imageSizeBytesMax = 512 * 1024 * 1024

/** The trace beside a picture; undefined where there is none that can be read. */
export async function readTrace(folder: string, image: string): Promise<Trace | undefined> {
  const read = await readBounded(join(folder, traceFile(image)), { sizeBytesMax: 16 * 1024 * 1024 }).catch(
    () => undefined,
  )
  if (!read) return undefined
  try {
    // Written by us; whoever needs certainty about its bytes compares its hash with the run manifest.
    return JSON.parse(read.bytes.toString('utf8')) as Trace
  } catch {
    // A trace that does not parse is a trace that is not there.
    return undefined
  }
}

/** The request part of the trace that a picture carries; undefined when it carries none. */
export function requestOf(image: Buffer): RequestPart | undefined {
  try {
    const chunk = readPngText(image).find(each => each.keyword === traceChunk)
    const value: unknown = chunk && JSON.parse(chunk.text)
    return isRequest(value) ? value : undefined
  } catch {
    // Not a PNG, or a chunk of somebody else's making.
    return undefined
  }
}

function isRequest(value: unknown): value is RequestPart {
  return typeof value === 'object' && value !== null && validateValue(requestPartSchema, value).problems.length === 0
}
