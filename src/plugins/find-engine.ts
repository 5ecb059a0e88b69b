import { failure, type Problem } from '../errors.js'
import { validateValue } from '../files/validate.js'
import type { EngineHost, QueueEngine } from './contract.js'
import type { PluginFolder } from './load-plugins.js'

/** Finds an engine by name and checks its options; opening it is left to the caller. Throws CONFIG_INVALID. */
export function findEngine(
  plugins: readonly PluginFolder[],
  { name, options }: { name: string; options: Record<string, unknown> },
): (host: EngineHost) => Promise<QueueEngine> {
  const engines = plugins.flatMap(plugin => plugin.engine ?? [])
  const engine = engines.find(each => each.name === name)
  const refuse = (problems: Problem[]) => failure('CONFIG_INVALID', { file: 'foundry.yaml', problems })
  if (!engine) {
    const allowed = engines.map(each => each.name).join(', ') || 'none is installed'
    const message = 'No plugin is an engine of this name'
    throw refuse([{ severity: 'error', code: 'ENGINE_UNKNOWN', message, path: 'engine.name', found: name, allowed }])
  }
  // Options may hold a password.
  const { problems } = validateValue(engine.options, structuredClone(options))
  if (problems.length > 0)
    throw refuse(problems.map(({ found: _, ...each }) => ({ ...each, path: `engine.options.${each.path ?? ''}` })))
  return host => engine.open(options, host)
}
