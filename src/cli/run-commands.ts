import { Argument, type Command, Option } from 'commander'
import { basename, resolve } from 'node:path'
import { type Band, bands, runStates, slotStates } from '../schema/run.js'
import type { Config } from '../config/config.js'
import type { AuditFlags, ListFlags, PartFlags, PruneFlags } from './ask.js'
import { type CommandHost, examples } from './command-context.js'
import { collect, countingNumber, days, share } from './option-values.js'
import { refuseUnknown } from './refuse-unknown.js'
import { withServers } from './render-commands.js'
import type { Terminal } from './terminal.js'

/** What asks about runs, or acts on them: `runs …`, `why`, `audit`, `status`, `drops`, `verify`, `reproduce`. */
export function addRunCommands(program: Command, host: CommandHost): void {
  addRuns(program, host)
  program
    .command('why <run> [slot]')
    .summary('why a picture waits, failed, or is what it is')
    .description(
      'Says in one sentence why a slot waits, runs, failed, is held or cancelled. It is named by run and slot, or by its job alone.',
    )
    .addHelpText(
      'after',
      examples([
        ['foundry why aurora aurora/hero-portrait-0001', 'a slot, named as "runs show" does'],
        ['foundry why aurora', 'the first of its slots that is not done'],
        ['foundry why jq3xkz5d2a7m4c6b2n5p7r3t4v --json', 'a job, as logs and traces name it'],
      ]),
    )
    .action(
      host.run<object, [string, string?]>(async ({ terminal, config }, run, slot) => {
        const { runWhy } = await import('./why.js')
        return runWhy(nameOf(run), slot, { config: await config(), terminal })
      }),
    )
  program
    .command('audit')
    .description('Lists what operators did, the newest first: who accepted, paused, cancelled or removed what.')
    .option('--run <run>', 'only acts on this run; one that was removed is named in full')
    .option('--limit <n>', 'at most this many', countingNumber, 50)
    .addHelpText(
      'after',
      examples([
        ['foundry audit --run aurora', 'who did what to a run'],
        ['foundry audit --limit 1000 --json', 'for a script'],
      ]),
    )
    .action(
      host.run<AuditFlags, []>(async ({ terminal, config, flags }) =>
        (await ask(await config(), terminal)).audit(
          flags.run === undefined ? flags : { ...flags, run: nameOf(flags.run) },
        ),
      ),
    )
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
    .summary('list, show, pause, approve, cancel, retry, remove runs')
    .description(
      'Lists runs and acts on them. A run is named by the beginning of its name (the newest is shown), or by its folder.',
    )
    .addHelpText('after', examples([['foundry runs', 'the newest first']]))
  runs
    .command('list', { isDefault: true })
    .description('Lists runs, the newest first.')
    .addOption(new Option('--state <state>', 'only runs in this state').choices([...runStates, 'interrupted']))
    .option('--limit <n>', 'at most this many', countingNumber, 50)
    .allowExcessArguments()
    .addHelpText(
      'after',
      examples([
        ['foundry runs list --state failed', 'what needs a look'],
        ['foundry runs list --state held', 'what waits for somebody’s word'],
      ]),
    )
    .action(
      host.run<ListFlags, unknown[]>(async ({ terminal, config, flags }) => {
        refuseUnknown(runs)
        return (await ask(await config(), terminal)).listRuns(flags)
      }),
    )
  runs
    .command('show <run>')
    .description('Shows a run and its slots.')
    .addOption(new Option('--state <state>', 'only slots in this state').choices([...slotStates, 'interrupted']))
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
  runs
    .command('priority <run>')
    .addArgument(new Argument('[priority]').choices(bands))
    .description(
      `Gives a run another priority (${bands.join(', ')}), another weight (its share of the servers among runs of one priority) or other labels.`,
    )
    .option('--weight <n>', 'share of the servers, above 0 and up to 100', share)
    .addOption(
      new Option('--label <label>', 'only servers with this label (repeatable)')
        .argParser(collect)
        .conflicts('anyServer'),
    )
    .option('--any-server', 'whatever the labels of servers')
    .addHelpText(
      'after',
      examples([
        ['foundry runs priority aurora rush', 'before all that is not in a rush'],
        ['foundry runs priority aurora --weight 2', 'twice the share of the others'],
        ['foundry runs priority aurora --any-server', 'no server has the label that it was begun with'],
      ]),
    )
    .action(
      host.run<{ weight?: number; label?: string[]; anyServer?: boolean }, [string, Band?]>(
        async ({ terminal, config, flags: { weight, label, anyServer } }, run, priority) =>
          (await ask(await config(), terminal)).changePriority(nameOf(run), {
            ...(priority !== undefined && { priority }),
            ...(weight !== undefined && { weight }),
            ...(anyServer ? { labels: [] } : label && { labels: label }),
          }),
      ),
    )
  for (const { name, operation, description, shown, isWhole } of acts) {
    const command = runs.command(`${name} <run>`).description(description)
    if (!isWhole)
      command
        .addOption(new Option('--persona <id>', 'only the pictures of this persona').conflicts('slot'))
        .option('--slot <name>', 'only this slot, named as "runs show" does')
    command
      .addHelpText('after', examples(shown))
      .action(
        host.run<PartFlags, [string]>(async ({ terminal, config, flags }, run) =>
          (await ask(await config(), terminal)).act(operation, nameOf(run), flags),
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
    name: 'pause',
    operation: 'runs.pause',
    description: 'Begins nothing new of a run, or of a persona or slot of it; what runs goes on.',
    shown: [
      ['foundry runs pause night-shift', 'until "foundry runs resume night-shift"'],
      ['foundry runs pause night-shift --persona aurora', 'the others go on'],
    ],
    isWhole: false,
  },
  {
    name: 'resume',
    operation: 'runs.resume',
    description: 'Goes on with what was paused.',
    shown: [
      ['foundry runs resume night-shift', 'all of it'],
      ['foundry runs resume night-shift --slot aurora/hero-portrait-0001', 'that one alone'],
    ],
    isWhole: false,
  },
  {
    name: 'approve',
    operation: 'runs.approve',
    description: 'Renders the rest of a run after its preview (see "foundry render --preview").',
    shown: [['foundry runs approve night-shift', 'the preview is as it should be']],
    isWhole: true,
  },
  {
    name: 'cancel',
    operation: 'runs.cancel',
    description: 'Stops a run, or a persona or slot of it: what is done stays.',
    shown: [
      ['foundry runs cancel aurora', 'the same "foundry render" takes it up again'],
      ['foundry runs cancel night-shift --persona aurora', 'the others go on'],
    ],
    isWhole: false,
  },
  {
    name: 'retry',
    operation: 'runs.retry',
    description:
      'Tries again what failed, was cancelled, or is gone from the disk. Without a daemon, the next "foundry render" of the drop renders it.',
    shown: [
      ['foundry runs retry aurora', 'once the cause is mended'],
      ['foundry runs retry aurora --slot aurora/hero-portrait-0001', 'that one alone'],
    ],
    isWhole: false,
  },
] as const

/** Shells complete the folder of a run: that is its name, too. */
function nameOf(run: string): string {
  return basename(run)
}
