import { randomUUID } from 'node:crypto'
import { isSha256 } from '../../src/plugins/contract.js'
import { comfyFailure } from './errors.js'
import type { Http } from './http.js'
import { recordOf } from './json.js'

const uploadFolder = 'foundry'
const uploadRoute = '/upload/image'
/** What servers take unless told otherwise (`--max-upload-size`). */
const uploadSizeBytesMax = 100 * 1024 * 1024

interface Picture {
  bytes: Buffer
  sha256: string
  /** Without dot: `png`. */
  extension: string
}

/**
 * Puts a picture into the input folder of a server, named by its content: a second upload writes nothing.
 * Gives the name that a `LoadImage` node calls it by. Throws COMFYUI_UPLOAD_INVALID; rejects with RenderFailure.
 */
export async function uploadPicture(http: Http, picture: Picture, signal: AbortSignal): Promise<string> {
  const { bytes, sha256, extension } = picture
  if (!isSha256(sha256)) throw comfyFailure('UPLOAD_INVALID', { reason: 'its hash is not a SHA-256' })
  if (!/^[a-z0-9]{1,8}$/.test(extension)) throw comfyFailure('UPLOAD_INVALID', { reason: 'its extension is not one' })
  if (bytes.length > uploadSizeBytesMax)
    throw comfyFailure('UPLOAD_INVALID', { reason: `it has ${bytes.length} bytes, more than ${uploadSizeBytesMax}` })
  const boundary = `foundry-${randomUUID()}`
  const contentType = `multipart/form-data; boundary=${boundary}`
  const answer = await http.post(uploadRoute, toMultipart(picture, boundary), { signal, contentType })
  if (answer.status !== 200) throw http.refusal(answer, uploadRoute)
  const { name, subfolder } = recordOf(http.json(answer, uploadRoute))
  if (typeof name !== 'string') throw http.refusal(answer, uploadRoute)
  return typeof subfolder === 'string' && subfolder !== '' ? `${subfolder}/${name}` : name
}

function toMultipart({ bytes, sha256, extension }: Picture, boundary: string): Buffer {
  const field = (name: string, value: string): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const head =
    field('type', 'input') +
    field('subfolder', uploadFolder) +
    `--${boundary}\r\nContent-Disposition: form-data; name="image"; filename="${sha256}.${extension}"\r\n` +
    'Content-Type: application/octet-stream\r\n\r\n'
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
}
