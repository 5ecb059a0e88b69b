import { type Command, Option } from 'commander'
import { resolve } from 'node:path'
import { families } from '../schema/template.js'
import type { AddWorkflowFlags } from './ask-workflows.js'
import { type CommandHost, examples, exitCodeHelp } from './command-context.js'
import { refuseUnknown } from './refuse-unknown.js'

/** What is asked about workflows: `workflows …`. */
export function addWorkflowCommands(program: Command, host: CommandHost): void {
  const workflows = program
    .command('workflows')
    .summary('list ComfyUI workflows, add yours')
    .description(
      'The ComfyUI graphs of this home with their bindings: what of each is the prompt, the seed, the size, …',
    )
    .addHelpText(
      'after',
      examples([['foundry workflows add mine.json --server http://gpu1:8188', 'bring one of yours']]),
    )
  workflows
    .command('list', { isDefault: true })
    .description('Lists the workflows, with the parameters that "foundry render --param" may set.')
    .allowExcessArguments()
    .addHelpText('after', examples([['foundry workflows list --json', 'for a script']]))
    .action(
      host.run<object, unknown[]>(async ({ terminal, config }) => {
        refuseUnknown(workflows)
        return (await load()).listWorkflows(await config(), terminal)
      }),
    )
  workflows
    .command('add <file>')
    .description(
      'Brings a workflow into workflows/ of this home: what ComfyUI saved (which a server converts), what it exported with ' +
        'Export (API), an entry of its history, or a PNG that it made. Tells what was found in it, asks what cannot be decided, ' +
        'and renders one picture to prove it.',
    )
    .option('--name <name>', 'what it is called (default: the name of the file)')
    .option('--server <server>', 'server of this home by name, or the address of a ComfyUI (default: any that answers)')
    .addOption(new Option('--draft', 'convert and render on the embedded draft server').conflicts('server'))
    .addOption(new Option('--family <family>', 'model family, where the workflow does not tell').choices(families))
    .option('--replace', 'also where a workflow of that name is there already')
    .option('--no-probe', 'render no picture')
    .option('--dry-run', 'only tell what is found: nothing is written or rendered')
    .addHelpText(
      'after',
      examples([
        ['foundry workflows add mine.json --server http://gpu1:8188', 'the file that ComfyUI saves'],
        ['foundry workflows add ComfyUI_00042_.png --name portrait', 'out of a picture'],
        ['foundry workflows add mine_api.json --dry-run', 'what is found in it'],
        ['foundry render aurora.yaml --workflow mine', 'then use it'],
      ]) +
        answersHelp +
        exitCodeHelp,
    )
    .action(
      host.run<AddWorkflowFlags, [string]>(async ({ terminal, flags, config }, file) => {
        const { addWorkflow } = await load()
        return addWorkflow({ terminal, flags, config }, resolve(file))
      }),
    )
}

const load = () => import('./ask-workflows.js')

const answersHelp = `
Where two answers are possible, nothing is written, and each question tells the line that answers it: put these lines into
<file>.binding.yaml beside the file, and add it again.
`
