import { RenderFailure } from '../../src/plugins/contract.js'
import type { Client } from './client.js'

const pictureSizeBytesMax = 128 * 1024 * 1024
const deliveryHost = 'replicate.delivery'
/** base64 takes four characters for three bytes. */
const dataUriLengthMax = Math.ceil((pictureSizeBytesMax * 4) / 3) + 100

/**
 * The bytes of an output. Only the service's own hosts are asked, redirects are not followed, and the key is shown to them only
 * where they ask for it. Rejects with RenderFailure: `no-output` where the picture is not to be had, `unreachable` where it may be later.
 */
export async function fetchOutput(client: Client, output: string, signal: AbortSignal): Promise<Buffer> {
  if (output.startsWith('data:')) return decodeDataUri(output)
  const url = URL.canParse(output) ? new URL(output) : undefined
  if (!url || !isOwn(url, client.address.base)) {
    const where = url ? `${url.protocol}//${url.host}` : 'no address'
    throw new RenderFailure(
      'no-output',
      `The picture lies where it is not fetched from (${where}): only ${deliveryHost} is asked`,
    )
  }
  const exchange = { signal, sizeBytesMax: pictureSizeBytesMax }
  const open = await client.download(url, { ...exchange, withKey: false })
  const answer = [401, 403].includes(open.status) ? await client.download(url, { ...exchange, withKey: true }) : open
  const { status, bytes } = answer
  if (status === 200 && bytes.length > 0) return bytes
  const isLater = status === 429 || status >= 500
  throw new RenderFailure(
    isLater ? 'unreachable' : 'no-output',
    `${url.host} answered with ${status} in place of the picture`,
  )
}

/** The hosts of the service, over TLS; and the configured address itself, which may be a test or a gateway. */
function isOwn(url: URL, base: URL): boolean {
  if (url.username || url.password) return false
  if (url.origin === base.origin) return true
  const isDelivery = url.hostname === deliveryHost || url.hostname.endsWith(`.${deliveryHost}`)
  return isDelivery && url.protocol === 'https:' && url.port === ''
}

function decodeDataUri(uri: string): Buffer {
  const [, data] =
    /^data:image\/[a-z+.-]+;base64,([A-Za-z0-9+/=\s]+)$/i.exec(uri.length > dataUriLengthMax ? '' : uri) ?? []
  if (data === undefined) throw new RenderFailure('no-output', 'The picture came in a form that is not understood')
  return Buffer.from(data, 'base64')
}
