import { comfyFailure } from './errors.js'
import { isRecord, listOf, recordOf } from './json.js'

/** What `/system_stats` tells. */
export interface ServerIdentity {
  renderer: 'comfyui' | 'draft'
  version?: string
  /** How the server caches node results: classic, lru, none, ram. */
  cacheMode?: string
  vramTotalBytes?: number
  vramFreeBytes?: number
}

/** The first version that takes prompt ids from its clients, without which no attempt can be found again. */
const oldestVersion = '0.3.45'

/** What ComfyUI tells of every card under DirectML, which it cannot measure (`get_total_memory`). */
const unmeasuredBytes = 2 ** 30

/** Reads `/system_stats`. `label` names the server in messages. Throws COMFYUI_SERVER_TOO_OLD, COMFYUI_SERVER_FOREIGN. */
export function readIdentity(body: unknown, label: string): ServerIdentity {
  const { system, devices } = recordOf(body)
  if (!isRecord(system)) throw comfyFailure('SERVER_FOREIGN', { server: label, found: 'no system in /system_stats' })
  const version = typeof system['comfyui_version'] === 'string' ? system['comfyui_version'] : undefined
  if (version !== undefined && compareVersions(version, oldestVersion) < 0)
    throw comfyFailure('SERVER_TOO_OLD', { server: label, version, oldest: oldestVersion })
  const cacheMode = cacheModeOf(listOf(system['argv']).map(String), version)
  const { vram_total: total, vram_free: free } = recordOf(listOf(devices)[0])
  const isMeasured = total !== unmeasuredBytes
  return {
    renderer: system['foundry_draft'] ? 'draft' : 'comfyui',
    ...(version !== undefined && { version }),
    ...(cacheMode !== undefined && { cacheMode }),
    ...(isMeasured && typeof total === 'number' && { vramTotalBytes: total }),
    ...(isMeasured && typeof free === 'number' && { vramFreeBytes: free }),
  }
}

const modeByFlag: Readonly<Record<string, string>> = {
  '--cache-classic': 'classic',
  '--high-ram': 'classic',
  '--cache-lru': 'lru',
  '--cache-none': 'none',
  '--cache-ram': 'ram',
}

/** Without a flag the mode depends on the version; between the versions that are known nothing is claimed. */
function cacheModeOf(argv: readonly string[], version: string | undefined): string | undefined {
  for (const flag of argv) {
    const mode = modeByFlag[flag.split('=')[0] ?? '']
    if (mode !== undefined) return mode
  }
  if (version === undefined) return undefined
  if (compareVersions(version, '0.22.0') <= 0) return 'classic'
  return compareVersions(version, '0.23') < 0 ? undefined : 'ram'
}

/** Negative when `one` is older. Compares number by number; words and suffixes count as nothing. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [numbersOf(one), numbersOf(other)]
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function numbersOf(version: string): number[] {
  return (/\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number)
}
