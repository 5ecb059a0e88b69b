import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The folder of the installed package: where the shipped plugins and examples lie. */
export const packageRoot = findPackageRoot(here)

/** Where its compiled code lies: this file is `src/config/package-root.js` there. */
export const packageOutput = dirname(dirname(here))

function findPackageRoot(from: string): string {
  return existsSync(`${from}/package.json`) ? from : findPackageRoot(dirname(from))
}
