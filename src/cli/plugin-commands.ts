import type { Command } from 'commander'
import { type CommandHost, examples } from './command-context.js'
import { refuseUnknown } from './refuse-unknown.js'

/** The plugins of a home: `plugins list`, `init`, `test`. */
export function addPluginCommands(program: Command, host: CommandHost): void {
  const plugins = program
    .command('plugins')
    .summary('list, make, test plugins')
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
      host.run<object, unknown[]>(async ({ terminal, config }) => {
        refuseUnknown(plugins)
        const { listPlugins } = await import('./list-plugins.js')
        return listPlugins(await config(), terminal)
      }),
    )
  plugins
    .command('init <name>')
    .description(
      'Writes a plugin that works, to be changed: provider-…, engine-…, storage-…, gate-…, observer-… or style-…. Overwrites nothing.',
    )
    .option('--to <dir>', 'the folder that becomes the plugin (default: plugins/<name> of the home)')
    .addHelpText(
      'after',
      examples([
        ['foundry plugins init style-noir', 'a slider and a finish of your own'],
        ['foundry plugins init gate-house --to gate-house', 'outside of a home, to be published'],
      ]),
    )
    .action(
      host.run<{ to?: string }, [string]>(async ({ terminal, config, flags: { to } }, name) => {
        const { initPlugin } = await import('./author-plugins.js')
        return initPlugin(await config(), terminal, { name, to })
      }),
    )
  plugins
    .command('test <dir>')
    .description(
      'Holds a plugin to everything that its kind promises, check by check (exit 1 if one fails). Runs its code.',
    )
    .addHelpText('after', examples([['foundry plugins test plugins/provider-own', 'before it is used']]))
    .action(
      host.run<object, [string]>(async ({ terminal, version }, dir) => {
        const { testPlugin } = await import('./author-plugins.js')
        return testPlugin(dir, terminal, version)
      }),
    )
}
