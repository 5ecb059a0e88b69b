/** Kinds of binary frames and of images inside them, as numbers on the wire. All numbers are big-endian. */
const kinds = { preview: 1, text: 3, previewWithMetadata: 4 }
const jpeg = 1

/** A text that a node shows while it runs. */
export function textFrame(nodeId: string, text: string): Buffer {
  const id = Buffer.from(nodeId)
  return Buffer.concat([uint32(kinds.text), uint32(id.length), id, Buffer.from(text)])
}

/** A JPEG preview in both forms: the old one without any ids, and the one with metadata. */
export function previewFrames(
  nodeId: string,
  promptId: string,
  image: Buffer,
): { plain: Buffer; withMetadata: Buffer } {
  const metadata = Buffer.from(
    JSON.stringify({
      node_id: nodeId,
      prompt_id: promptId,
      display_node_id: nodeId,
      parent_node_id: null,
      real_node_id: nodeId,
      image_type: 'image/jpeg',
    }),
  )
  return {
    plain: Buffer.concat([uint32(kinds.preview), uint32(jpeg), image]),
    withMetadata: Buffer.concat([uint32(kinds.previewWithMetadata), uint32(metadata.length), metadata, image]),
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
