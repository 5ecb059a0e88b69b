import type { Reference } from '../schema/reference.js'

/** By its first bytes: nothing else is given to a decoder. Undefined for all that is none of these. */
export function pictureFormat(bytes: Buffer): Reference['format'] | undefined {
  const head = bytes.toString('latin1', 0, 12)
  if (head.startsWith('\x89PNG\r\n')) return 'png'
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg'
  return /^RIFF.{4}WEBP/s.test(head) ? 'webp' : undefined
}
