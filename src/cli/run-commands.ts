import { type Command, Option } from 'commander'
import { basename, resolve } from 'node:path'
import { findNearMiss } from '../files/near-miss.js'
import { runStates, slotStates } from '../schema/run.js'
import type { Config } from '../config/config.js'
import type { ListFlags, PruneFlags } from './ask.js'
import { type CommandHost, examples } from './command-context.js'
import { countingNumber, days } from './option-values.js'
import { withServers } from './render-commands.js'
import type { Terminal } from './terminal.js'

/** What asks about runs, or acts on them: `runs …`, `status`, `drops`, `verify`, `reproduce`. */
export function addRunCommands(program: Command, host: CommandHost): void {
  addRuns(program, host)
  program
    .command('status')
    .description('What the foundry of this home is doing.')
    .addHelpText('after', examples([['foundry status --json', 'for a script']]))
    .action(host.run<object, []>(async ({ terminal, config }) => (await ask(await config(), terminal)).status()))
  program
    .command('drops')
    .description('Drops that were seen, and what became of them.')
    .option('--refused', 'only those that were refused')
    .addHelpText('after', examples([['foundry drops --refused', 'what its owner has to mend']]))
    .action(
      host.run<{ refused?: boolean }, []>(async ({ terminal, config, flags }) =>
        (await ask(await config(), terminal)).drops(flags.refused),
      ),
    )
  program
    .command('verify <run>')
    .description('Hashes every input and output of a run again and names each difference (exit 1).')
    .addHelpText('after', examples([['foundry verify aurora', 'the beginning of its name is enough']]))
    .action(
      host.run<object, [string]>(async ({ terminal, config }, run) =>
        (await ask(await config(), terminal)).verify(nameOf(run)),
      ),
    )
  withServers(program.command('reproduce <image>'))
    .description('Renders a picture again from the image file alone, and says whether graph and pixels are the same.')
    .option('--output <file>', 'where the new picture goes (default: beside the old one)')
    .option('--dry-run', 'only compare the graph with the record')
    .addHelpText(
      'after',
      examples([
        ['foundry reproduce hero-portrait-0001.png --draft', 'a draft, on the embedded draft server'],
        ['foundry reproduce hero-portrait-0001.png --dry-run', 'only whether the graph is the recorded one'],
      ]),
    )
    .action(
      host.run<{ server?: string[]; draft?: boolean; output?: string; dryRun?: boolean }, [string]>(
        async ({ terminal, config, flags }, image) => {
          const { server: servers, draft, output, dryRun } = flags
          const wish = {
            ...(output !== undefined && { output: resolve(output) }),
            ...(dryRun && { dryRun }),
            ...(draft ? { asksFor: 'draft' as const } : servers && { asksFor: 'servers' as const }),
          }
          return (await ask(await config({ servers, draft }), terminal)).reproduce(resolve(image), wish)
        },
      ),
    )
}

function addRuns(program: Command, host: CommandHost): void {
  const runs = program
    .command('runs')
    .summary('list, show, cancel, retry, remove runs')
    .description(
      'Lists runs and acts on them. A run is named by the beginning of its name (the newest is shown), or by its folder.',
    )
    .addHelpText('after', examples([['foundry runs', 'the newest first']]))
  runs
    .command('list', { isDefault: true })
    .description('Lists runs, the newest first.')
    .addOption(new Option('--state <state>', 'only runs in this state').choices(runStates))
    .option('--limit <n>', 'at most this many', countingNumber, 50)
    .allowExcessArguments()
    .addHelpText('after', examples([['foundry runs list --state failed', 'what needs a look']]))
    .action(
      host.run<ListFlags, unknown[]>(async ({ terminal, config, flags }) => {
        refuseUnknown(runs)
        return (await ask(await config(), terminal)).listRuns(flags)
      }),
    )
  runs
    .command('show <run>')
    .description('Shows a run and its slots.')
    .addOption(new Option('--state <state>', 'only slots in this state').choices(slotStates))
    .option('--limit <n>', 'at most this many slots', countingNumber, 50)
    .addHelpText('after', examples([['foundry runs show aurora --state failed', 'what failed, and why']]))
    .action(
      host.run<ListFlags, [string]>(async ({ terminal, config, flags }, run) =>
        (await ask(await config(), terminal)).showRun(nameOf(run), flags),
      ),
    )
  runs
    .command('events <run>')
    .description('Prints what happened to a run, as JSON lines.')
    .option('--limit <n>', 'at most this many', countingNumber, 1000)
    .addHelpText('after', examples([['foundry runs events aurora | tail -3', 'what happened last']]))
    .action(
      host.run<ListFlags, [string]>(async ({ terminal, config, flags }, run) =>
        (await ask(await config(), terminal)).events(nameOf(run), flags),
      ),
    )
  for (const { name, operation, description, example } of acts) {
    runs
      .command(`${name} <run>`)
      .description(description)
      .addHelpText('after', examples([example]))
      .action(
        host.run<object, [string]>(async ({ terminal, config }, run) =>
          (await ask(await config(), terminal)).act(operation, nameOf(run)),
        ),
      )
  }
  runs
    .command('rm <run>')
    .description('Forgets a run that has ended and deletes its folder.')
    .addHelpText('after', examples([['foundry runs rm aurora-4e4e8f3a55', 'its pictures go with it']]))
    .action(
      host.run<object, [string]>(async ({ terminal, config }, run) =>
        (await ask(await config(), terminal)).remove(nameOf(run)),
      ),
    )
  runs
    .command('prune')
    .description('Removes runs that ended long ago.')
    .requiredOption('--days <n>', 'ended at least this many days ago', days)
    .addOption(new Option('--state <state>', 'only runs in this state').choices(['done', 'failed', 'cancelled']))
    .option('--dry-run', 'only say which')
    .addHelpText('after', examples([['foundry runs prune --days 30 --dry-run', 'what would go']]))
    .action(
      host.run<PruneFlags, []>(async ({ terminal, config, flags }) =>
        (await ask(await config(), terminal)).prune(flags),
      ),
    )
}

/** Loads what asks only when something is asked. */
async function ask(config: Config, terminal: Terminal) {
  return (await import('./ask.js')).ask(config, terminal)
}

const acts = [
  {
    name: 'cancel',
    operation: 'runs.cancel',
    description: 'Stops a run: what is done stays.',
    example: ['foundry runs cancel aurora', 'the same "foundry render" takes it up again'],
  },
  {
    name: 'retry',
    operation: 'runs.retry',
    description:
      'Tries again what failed or was cancelled. Without a daemon, the next "foundry render" of the drop renders it.',
    example: ['foundry runs retry aurora', 'once the cause is mended'],
  },
] as const

/** Without a command, `runs` lists; with one that it does not know, it must not. */
function refuseUnknown(runs: Command): void {
  const word = runs.args[0]
  if (word === undefined || word === 'list') return
  const meant = findNearMiss(
    word,
    runs.commands.map(each => each.name()),
  )
  const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`
  runs.error(`error: unknown command '${word}'${hint}`, { code: 'commander.unknownCommand', exitCode: 1 })
}

/** Shells complete the folder of a run: that is its name, too. */
function nameOf(run: string): string {
  return basename(run)
}
