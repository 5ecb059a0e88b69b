import { sep } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Where in a folder its code went wrong, as a path under it: the first place of the stack that lies there. */
export function placeOfError(error: unknown, folder: string): { file: string; line: number } | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const start = pathToFileURL(folder + sep).href
  const at = stack.indexOf(start)
  const [, file, line] = /^([^\s():]+):(\d+)/.exec(at < 0 ? '' : stack.slice(at + start.length)) ?? []
  return file === undefined ? undefined : { file, line: Number(line) }
}
