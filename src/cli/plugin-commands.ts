import type { Command } from 'commander'
import { type CommandHost, examples } from './command-context.js'

/** The plugins of a home: `plugins list`. */
export function addPluginCommands(program: Command, host: CommandHost): void {
  const plugins = program
    .command('plugins')
    .summary('list plugins')
    .description('What a home can do, plugin by plugin.')
    .addHelpText('after', examples([['foundry plugins', 'what is loaded, from where, and what is wrong']]))
  plugins
    .command('list', { isDefault: true })
    .description(
      'Lists the plugins: kinds, version, hash of the code, where from, milliseconds to load, hooks, problems.',
    )
    .allowExcessArguments()
    .addHelpText('after', examples([['foundry plugins list --json', 'for a script']]))
    .action(
      host.run<object, []>(async ({ terminal, config }) => {
        const { listPlugins } = await import('./list-plugins.js')
        return listPlugins(await config(), terminal)
      }),
    )
}
