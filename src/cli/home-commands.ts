import { Argument, type Command } from 'commander'
import { resolve } from 'node:path'
import { type CommandHost, examples } from './command-context.js'
import { completionScript, shells } from './completion.js'
import { exitCodes } from './exit-codes.js'
import { withServers } from './render-commands.js'
import { addWeightsCommands } from './weights-commands.js'

/** What a home is and holds: `init`, `doctor`, `talents …`, `schema`, `completion`. */
export function addHomeCommands(program: Command, host: CommandHost): void {
  program
    .command('init <dir>')
    .summary('make a home')
    .description('Makes a home: data folders with examples, and a foundry.yaml to begin with.')
    .option('--empty', 'no example personas')
    .addHelpText('after', examples([['foundry init studio', 'a folder to work in']]))
    .action(
      host.run<{ empty?: boolean }, [string]>(async ({ terminal, flags }, dir) => {
        const { initHome } = await import('./init.js')
        return initHome(resolve(dir), terminal, { examples: !flags.empty })
      }),
    )
  withServers(program.command('doctor').summary('what is wrong, and what to type'))
    .description(
      'Looks for what is wrong (Node, configuration, folders, servers, models, LoRAs) and says what to type.',
    )
    .option('--repair', 'set the damaged end of a journal aside')
    .addHelpText('after', examples([['foundry doctor --server http://gpu1:8188', 'whether that server has it all']]))
    .action(
      host.run<{ server?: string[]; draft?: boolean; repair?: boolean }, []>(async ({ terminal, config, flags }) => {
        const { server: servers, draft, repair = false } = flags
        const { runDoctor } = await import('./doctor.js')
        return runDoctor(() => config({ servers, draft }), terminal, repair)
      }),
    )
  addWeightsCommands(addTalents(program, host), host)
  program
    .command('schema [name]')
    .description('Prints a JSON Schema for your editor, or the names of all.')
    .addHelpText('after', examples([['foundry schema persona-kit > persona-kit.schema.json', 'what a kit may say']]))
    .action(
      host.run<object, [string?]>(async ({ terminal }, name) => {
        const { printSchema } = await import('./schema-command.js')
        return printSchema(name, terminal)
      }),
    )
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(shells))
    .description('Prints the completion script of a shell.')
    .addHelpText(
      'after',
      examples([
        ['source <(foundry completion bash)', 'in ~/.bashrc'],
        ['foundry completion fish > ~/.config/fish/completions/foundry.fish', 'for fish'],
      ]),
    )
    .action(
      host.run<object, [string]>(async ({ terminal }, shell) => {
        const { readShippedNames } = await import('./completion-names.js')
        const script = completionScript(program, shell, await readShippedNames())
        terminal.answer({ shell, script })
        terminal.say(script)
        return exitCodes.done
      }),
    )
}

const loadTalents = () => import('./talents-commands.js')

function addTalents(program: Command, host: CommandHost): Command {
  const talents = program
    .command('talents')
    .summary('list, show, make, check, convert, deploy LoRA kits; list sliders')
    .description('The LoRA kits of this home and its plugins.')
    .addHelpText('after', examples([['foundry talents list', 'which can be used']]))
  talents
    .command('list')
    .description('Lists the kits.')
    .addHelpText('after', examples([['foundry talents list --json', 'for a script']]))
    .action(
      host.run<object, []>(async ({ terminal, config }) => (await loadTalents()).listTalents(await config(), terminal)),
    )
  talents
    .command('show <id>')
    .description('Shows one kit.')
    .addHelpText('after', examples([['foundry talents show avatar.style.mecha', 'its file, weights and problems']]))
    .action(
      host.run<object, [string]>(async ({ terminal, config }, id) =>
        (await loadTalents()).showTalent(await config(), terminal, id),
      ),
    )
  talents
    .command('sliders')
    .description('Lists the sliders with what stands at 0 and at 1, and the finishes: what a persona kit may say.')
    .addHelpText('after', examples([['foundry talents sliders', 'before "sliders:" of a kit is written']]))
    .action(
      host.run<object, []>(async ({ terminal, config }) => (await loadTalents()).listSliders(await config(), terminal)),
    )
  talents
    .command('validate [folder]')
    .description('Names everything wrong with the kits (exit 1 if one cannot be used).')
    .addHelpText('after', examples([['foundry talents validate ../talents', 'before they are dropped']]))
    .action(
      host.run<object, [string?]>(async ({ terminal, config }, folder) =>
        (await loadTalents()).validateTalents(await config(), terminal, folder),
      ),
    )
  talents
    .command('index')
    .description('Prints the index of the kits as JSON.')
    .option('--include-invalid', 'also kits that Talent Factory would leave out, with their errors and warnings')
    .addHelpText('after', examples([['foundry talents index > index.json', 'as Talent Factory’s indexer does']]))
    .action(
      host.run<{ includeInvalid?: boolean }, []>(async ({ terminal, config, flags }) =>
        (await loadTalents()).printIndex(await config(), terminal, flags.includeInvalid ?? false),
      ),
    )
  return talents
}
