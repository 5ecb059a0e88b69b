import type { CodePlugin } from './contract.js'

const kinds: readonly unknown[] = ['provider', 'engine', 'storage', 'gate', 'observer'] satisfies CodePlugin['kind'][]

/** The plugin that a module exports as its default; undefined where that is none. */
export function codePluginOf(module: unknown): CodePlugin | undefined {
  const value = (module as { default?: unknown }).default
  if (typeof value !== 'object' || value === null) return undefined
  const { kind, name, version, open } = value as Record<string, unknown>
  // The contract names these four; everything else about a plugin is checked where it is used.
  const isOne =
    kinds.includes(kind) && typeof name === 'string' && typeof version === 'string' && typeof open === 'function'
  return isOne ? (value as CodePlugin) : undefined
}
