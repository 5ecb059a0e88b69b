import { pino } from 'pino'
import { loadConfig } from '../../../src/config/config.js'
import type { CodePlugin } from '../../../src/plugins/contract.js'
import { type LoadedPlugins, loadPlugins, type PluginFolder } from '../../../src/plugins/load-plugins.js'

/** The plugins of a folder that is a home. */
export async function loadHome(home: string): Promise<LoadedPlugins> {
  return loadPlugins(await loadConfig({ home }, {}, '0.1.0'))
}

/** Code that was loaded. */
export function pluginOf(code: CodePlugin, options: Record<string, unknown> = {}): PluginFolder {
  return {
    name: `${code.kind}-${code.name}`,
    folder: '',
    from: 'home',
    version: code.version,
    provider: undefined,
    engine: undefined,
    storage: undefined,
    gate: undefined,
    observer: undefined,
    isIsolated: false,
    options,
    tookMs: 0,
    [code.kind]: code,
  }
}

export const silent = pino({ level: 'silent' })
