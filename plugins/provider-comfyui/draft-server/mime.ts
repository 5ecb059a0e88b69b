import { posix } from 'node:path'

const mimeByExtension: Record<string, string> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.txt': 'text/plain',
  '.json': 'application/json',
}

/** By file name. Anything a browser would run is handed out as plain bytes. */
export function mimeOf(name: string): string {
  return mimeByExtension[posix.extname(name).toLowerCase()] ?? 'application/octet-stream'
}

export function isPicture(name: string): boolean {
  return mimeOf(name).startsWith('image/')
}
