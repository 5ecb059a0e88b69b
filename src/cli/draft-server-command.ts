import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import { packageRoot } from '../config/config.js'
import { loadPlugins } from '../plugins/load-plugins.js'
import { outputRoot } from '../daemon.js'
import { exitCodes } from './exit-codes.js'
import { commandLog } from './log.js'
import type { Terminal } from './terminal.js'

/** `foundry draft-server`: prints its address, then serves until interrupted. */
export async function runDraftServer(
  config: Config,
  terminal: Terminal,
  flags: { port: number; option?: string[] },
): Promise<number> {
  const { plugins } = await loadPlugins(config.pluginFolders, { root: packageRoot, output: outputRoot() })
  const provider = plugins.map(plugin => plugin.provider).find(each => each?.startDraftServer)
  if (!provider?.startDraftServer)
    throw failure('USAGE_INVALID', { problem: 'No plugin draws drafts', next: 'restore plugins/provider-comfyui' })
  const stop = new AbortController()
  const options = { port: flags.port, ...parseOptions(flags.option ?? []) }
  const server = await provider.startDraftServer(options, { log: commandLog(config, true), signal: stop.signal })
  terminal.answer({ url: server.url })
  terminal.say(
    `The draft server answers at ${server.url}\n  foundry render manifests/aurora.yaml --server ${server.url}`,
  )
  await new Promise(resolve => process.once('SIGINT', resolve).once('SIGTERM', resolve))
  stop.abort()
  await server.close()
  return exitCodes.done
}

function parseOptions(list: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    list.map(each => {
      const [name = '', value = ''] = each.split('=', 2)
      return [
        name,
        value === 'true'
          ? true
          : value === 'false'
            ? false
            : Number.isFinite(Number(value)) && value !== ''
              ? Number(value)
              : value,
      ]
    }),
  )
}
