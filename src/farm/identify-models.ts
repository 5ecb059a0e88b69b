import type { Probe } from '../plugins/contract.js'
import type { ModelUse } from '../schema/trace.js'

/** Pure: SHA-256 where the user has proven it, else name and size, else the name alone; the last two are marked unproven. */
export function identifyModels(
  models: readonly { folder: string; name: string }[],
  probe: Probe,
  sha256ByName: Readonly<Record<string, string>>,
): ModelUse[] {
  return models.map(({ folder, name }) => {
    const sha256 = sha256ByName[name] ?? sha256ByName[baseName(name)]
    if (sha256 !== undefined) return { folder, name, identity: `sha256:${sha256}`, proven: true }
    const size = sizeOf(probe, folder, name)
    const identity = size === undefined ? `name:${name}` : `name:${name}+size:${size}`
    return { folder, name, identity, proven: false }
  })
}

function sizeOf(probe: Probe, folder: string, name: string): number | undefined {
  for (const [spelled, size] of Object.entries(probe.modelSizes[folder] ?? {})) {
    if (spelled.replaceAll('\\', '/') === name) return size
  }
  return undefined
}

function baseName(name: string): string {
  return name.split('/').at(-1) ?? name
}
