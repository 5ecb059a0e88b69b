import type { LibraryWorkflow } from '../library/workflows.js'

/** Names of the workflows that a renderer alone renders, in order. */
export function workflowsOf(renderer: string, library: ReadonlyMap<string, LibraryWorkflow>): string[] {
  const own = [...library].filter(([, { binding }]) => binding?.renderer === renderer)
  return own.map(([name]) => name).sort()
}
