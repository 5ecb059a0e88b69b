import type { Logger } from 'pino'
import type { Config, StorageConfig } from '../config/config.js'
import { failure, type Problem, reasonOf } from '../errors.js'
import { validateValue } from '../files/validate.js'
import { folderStorage } from '../record/folder-storage.js'
import type { EngineHost, EnginePlugin, QueueEngine, Storage, StoragePlugin } from './contract.js'
import type { PluginFolder } from './load-plugins.js'
import { withinTime } from '../files/within-time.js'

/** A plugin that foundry.yaml names, with its options. */
interface Named {
  name: string
  options: Record<string, unknown>
}

const storageMsMax = 60_000

/** Finds an engine by name and checks its options; opening it is left to the caller. Throws CONFIG_INVALID. */
export function findEngine(plugins: readonly PluginFolder[], named: Named): (host: EngineHost) => Promise<QueueEngine> {
  const engine: EnginePlugin = findNamed('engine', plugins, named)
  return host => engine.open(named.options, host)
}

/**
 * Opens the storage that a configuration names. What a plugin does not do within a minute has failed; its end is waited for, and never
 * fails. Throws CONFIG_INVALID, and as all of its methods STORAGE_AWAY.
 */
export async function openStorage(
  config: StorageConfig,
  { plugins, resolveOptions, log }: { plugins: readonly PluginFolder[]; log: Logger } & Pick<Config, 'resolveOptions'>,
): Promise<Storage> {
  if ('folder' in config) return folderStorage(config.folder)
  const named = { name: config.name, options: resolveOptions(config.options).options }
  const plugin: StoragePlugin = findNamed('storage', plugins, named)
  const within = async <Value>(act: () => Promise<Value>) => {
    try {
      return await withinTime((async () => act())(), storageMsMax, 'no answer')
    } catch (error) {
      throw failure('STORAGE_AWAY', { storage: named.name, reason: reasonOf(error) }, error)
    }
  }
  const host = { log: log.child({ plugin: named.name }) }
  const storage = await within(() => plugin.open(named.options, host))
  return {
    put: (name, bytes) => within(() => storage.put(name, bytes)),
    get: (name, sizeBytesMax) => within(() => storage.get(name, sizeBytesMax)),
    list: () => within(() => storage.list()),
    remove: name => within(() => storage.remove(name)),
    close: () =>
      within(() => storage.close()).catch((error: unknown) =>
        host.log.warn({ reason: reasonOf(error) }, 'no clean end'),
      ),
  }
}

function findNamed<Kind extends 'engine' | 'storage'>(
  kind: Kind,
  plugins: readonly PluginFolder[],
  { name, options }: Named,
): NonNullable<PluginFolder[Kind]> {
  const all = plugins.flatMap(plugin => plugin[kind] ?? [])
  const found = all.find(each => each.name === name)
  const refuse = (problems: Problem[]) => failure('CONFIG_INVALID', { file: 'foundry.yaml', problems })
  if (!found) {
    const allowed = all.map(each => each.name).join(', ') || 'none is installed'
    const message = `No plugin of the kind ${kind} has this name`
    throw refuse([{ severity: 'error', code: 'PLUGIN_UNKNOWN', message, path: `${kind}.name`, found: name, allowed }])
  }
  // Options may hold a password.
  const { problems } = validateValue(found.options, structuredClone(options))
  if (problems.length > 0)
    throw refuse(problems.map(({ found: _, ...each }) => ({ ...each, path: `${kind}.options.${each.path ?? ''}` })))
  return found
}
