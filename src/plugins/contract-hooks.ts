import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { register } from 'node:module'
import * as modules from 'node:module'
import { packageOutput } from '../config/package-root.js'

const places: ReadonlyMap<string, string> = new Map([
  ['persona-foundry/plugin', join(packageOutput, 'src', 'plugins', 'contract.js')],
  ['persona-foundry/conformance', join(packageOutput, 'src', 'plugins', 'conformance', 'conformance.js')],
])

/** A hook of Node's module loader. */
export function resolve<Context, Answer>(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Answer,
): Answer | { url: string; format: string; shortCircuit: true } {
  const place = places.get(specifier)
  if (place === undefined) return next(specifier, context)
  return { url: pathToFileURL(place).href, format: 'module', shortCircuit: true }
}

let isOffered = false

/**
 * From now on `persona-foundry/plugin` is that of this very foundry, wherever a plugin lies: nothing has to be installed beside it,
 * and its failures are of the class that is looked for here.
 */
export function offerContract(): void {
  if (isOffered) return
  isOffered = true
  // Newer versions of Node have it, without a thread; the types of the oldest one do not.
  const { registerHooks } = modules as { registerHooks?: (hooks: { resolve: typeof resolve }) => void }
  if (registerHooks) registerHooks({ resolve })
  else register(import.meta.url)
}
