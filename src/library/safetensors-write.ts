import type { FileHandle } from 'node:fs/promises'
import { failure } from '../errors.js'

/** A tensor of a new file: its bytes, or where they lie in the file that it comes from, counted from the start of that file. */
export interface TensorToWrite {
  name: string
  dtype: string
  shape: readonly number[]
  content: Uint8Array | { begin: number; end: number }
}

/** Widest first, as the reference library orders its types, so that every tensor is aligned. */
const dtypeOrder = [
  ...['U64', 'I64', 'F64', 'C64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16'],
  ...['F8_E5M2FNUZ', 'F8_E4M3FNUZ', 'F8_E8M0', 'F8_E4M3', 'F8_E5M2', 'I8', 'U8', 'F6_E3M2', 'F6_E2M3', 'F4', 'BOOL'],
]
const chunkBytes = 1 << 20
const lengthBytes = 8
const wordBytes = 8

/**
 * The pieces of a safetensors file, at most 1 MiB at a time: sorted by type, then name, the header padded to whole words.
 * The same tensors give the same bytes. `source` is read at the places that tensors name; the caller closes it.
 * Throws FILE_CHANGED_WHILE_READ where it ends too early.
 */
export async function* safetensorsPieces(
  tensors: readonly TensorToWrite[],
  { metadata, source, file }: { metadata: Readonly<Record<string, string>>; source: FileHandle; file: string },
): AsyncGenerator<Uint8Array> {
  const inOrder = tensors.toSorted(
    (a, b) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || (a.name < b.name ? -1 : 1),
  )
  yield headerOf(inOrder, metadata)
  const chunk = Buffer.allocUnsafe(chunkBytes)
  for (const { content } of inOrder) {
    if (content instanceof Uint8Array) yield content
    else
      for (let at = content.begin; at < content.end;) {
        const { bytesRead } = await source.read(chunk, 0, Math.min(chunkBytes, content.end - at), at)
        if (bytesRead === 0) throw failure('FILE_CHANGED_WHILE_READ', { file })
        yield chunk.subarray(0, bytesRead)
        at += bytesRead
      }
  }
}

/** Written by hand: an object would put names that are numbers first, and lose one called `__proto__`. */
function headerOf(inOrder: readonly TensorToWrite[], metadata: Readonly<Record<string, string>>): Buffer {
  let begin = 0
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  const told = sorted.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
  const entries = inOrder.map(({ name, dtype, shape, content }) => {
    const end = begin + (content instanceof Uint8Array ? content.length : content.end - content.begin)
    const entry = `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`
    begin = end
    return entry
  })
  const text = Buffer.from(
    `{${[...(told.length > 0 ? [`"__metadata__":{${told.join(',')}}`] : []), ...entries].join(',')}}`,
  )
  const padding = -text.length & (wordBytes - 1)
  const length = Buffer.alloc(lengthBytes)
  length.writeBigUInt64LE(BigInt(text.length + padding))
  return Buffer.concat([length, text, Buffer.alloc(padding, ' ')])
}
