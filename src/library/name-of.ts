import { basename, isAbsolute, relative, resolve, sep } from 'node:path'

/** A file as its owner knows it: by its path under the root or the working folder, else by its name alone. */
export function nameOf(path: string, root = process.cwd()): string {
  const under = relative(root, resolve(path))
  const isOutside = under === '' || isAbsolute(under) || under.startsWith('..')
  return isOutside ? basename(resolve(path)) : under.split(sep).join('/')
}
