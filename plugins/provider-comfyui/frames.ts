import { isRecord, parseJson, recordOf } from './json.js'

/** A text frame of the server. */
export interface ServerMessage {
  type: string
  data: Record<string, unknown>
}

/** A preview picture. Without a prompt id it belongs to the job that runs now. */
export interface PreviewFrame {
  mime: string
  bytes: Buffer
  promptId?: string
}

/**
 * What a text frame says, or nothing where it says nothing to us: `progress_state` repeats the whole state of a job
 * at every step (`progress` and `executing` tell the same), and is passed over before it costs a parse.
 */
export function decodeText(frame: Buffer): ServerMessage | undefined {
  if (frame.subarray(0, prefixBytes).includes('progress_state')) return undefined
  try {
    const message = parseJson(frame.toString('utf8'))
    if (!isRecord(message) || typeof message['type'] !== 'string') return undefined
    return { type: message['type'], data: recordOf(message['data']) }
  } catch {
    // A custom node may send anything; what is not JSON is not meant for us.
    return undefined
  }
}

/** The preview in a binary frame (types 1 and 4); nothing for text frames, unknown types and damaged frames. */
export function decodeBinary(frame: Buffer): PreviewFrame | undefined {
  if (frame.length < 8) return undefined
  const type = frame.readUInt32BE(0)
  const second = frame.readUInt32BE(4)
  if (type === 1) return { mime: second === 2 ? 'image/png' : 'image/jpeg', bytes: frame.subarray(8) }
  if (type !== 4 || frame.length < 8 + second) return undefined
  return decodeDescribed(frame.subarray(8, 8 + second), frame.subarray(8 + second))
}

function decodeDescribed(description: Buffer, bytes: Buffer): PreviewFrame | undefined {
  try {
    const about = recordOf(parseJson(description.toString('utf8')))
    const promptId = about['prompt_id']
    return {
      mime: about['image_type'] === 'image/png' ? 'image/png' : 'image/jpeg',
      bytes,
      ...(typeof promptId === 'string' && { promptId }),
    }
  } catch {
    // Without its description nobody can say whose preview it is.
    return undefined
  }
}

const prefixBytes = 28
