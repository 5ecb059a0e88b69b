import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import { loadPlugins } from '../plugins/load-plugins.js'
import { exitCodes } from './exit-codes.js'
import { commandLog } from './log.js'
import type { Terminal } from './terminal.js'

/** `foundry draft-server`: prints its address, then serves until interrupted. */
export async function runDraftServer(
  config: Config,
  terminal: Terminal,
  flags: { port: number; option?: string[]; verbose?: boolean },
): Promise<number> {
  const { plugins } = await loadPlugins(config)
  const provider = plugins.map(plugin => plugin.provider).find(each => each?.startDraftServer)
  if (!provider?.startDraftServer)
    throw failure('USAGE_INVALID', { problem: 'No plugin draws drafts', next: 'restore plugins/provider-comfyui' })
  const stop = new AbortController()
  const options = { port: flags.port, ...parseOptions(flags.option ?? []) }
  const server = await provider.startDraftServer(options, {
    log: commandLog(config, flags.verbose ?? false),
    signal: stop.signal,
  })
  // Whoever reads the address may end it at once.
  const stopped = new Promise(resolve => process.once('SIGINT', resolve).once('SIGTERM', resolve))
  terminal.answer({ url: server.url })
  terminal.say(`The draft server answers at ${server.url}, until Ctrl C. In another terminal:`)
  terminal.say(`  foundry render manifests/aurora.yaml --server ${server.url}`)
  await stopped
  stop.abort()
  await server.close()
  return exitCodes.done
}

/**
 * `name=value`, with dots for what lies deeper: `faults.jobMs=200`. A value may be JSON. What each may be, the plugin says.
 * Throws USAGE_INVALID with all that are not written so.
 */
export function parseOptions(list: readonly string[]): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  const form = /^([A-Za-z]+(?:\.[A-Za-z]+)?)=(.+)$/s
  const formless = list.filter(each => !form.test(each)).map(each => `"${each}"`)
  if (formless.length > 0) {
    const problem = `${formless.join(', ')} ${formless.length === 1 ? 'is no option' : 'are no options'}`
    throw failure('USAGE_INVALID', { problem, next: 'write name=value' })
  }
  for (const each of list) {
    const [, name = '', value = ''] = form.exec(each) ?? []
    const [group = '', inner] = name.split('.')
    const known = options[group]
    options[group] =
      inner === undefined ? toValue(value) : { ...(typeof known === 'object' && known), [inner]: toValue(value) }
  }
  return options
}

function toValue(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^[[{]/.test(text)) return parseJson(text)
  // A version such as 0.12.1 is no number, and stays a word.
  return Number.isFinite(Number(text)) ? Number(text) : text
}

/** What is no JSON stays a word, and is refused as one. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
