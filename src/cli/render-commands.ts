import { type Command, Option } from 'commander'
import { resolve } from 'node:path'
import { bands, useSchema } from '../schema/run.js'
import { families } from '../schema/template.js'
import { type CommandHost, examples, exitCodeHelp } from './command-context.js'
import { draftServerOptionsHelp } from './draft-server-help.js'
import {
  collect,
  commaList,
  countingNumber,
  everyNth,
  parameterValues,
  portNumber,
  seconds,
  share,
  sliderValues,
  wholeNumber,
} from './option-values.js'
import type { AvatarFlags, RenderFlags, ServerFlags } from './render-from-flags.js'
import type { WorkerFlags } from './worker-command.js'

/**
 * What makes pictures: `render`, `plan`, `avatars`, `daemon`, `worker`, `demo`, `draft-server`. Each command loads its work when it is called, so
 * that help, completion and short questions answer at once.
 */
export function addRenderCommands(program: Command, host: CommandHost): void {
  addRender(program, host)
  addPlan(program, host)
  addAvatars(program, host)
  addDaemon(program, host)
  addWorker(program, host)
  addDemo(program, host)
  addDraftServer(program, host)
}

const jsonHelp = `
With --json: exitCode, isNew (whether a run is new), rendered (pictures that were rendered meanwhile, none taken over), warnings,
refused, and of each of the runs: run, state, isNew, rendered, counts, folder, manifest, contactSheet, reasons, waitsFor (what a
human has to do before it goes on: resume, approval, decision), composites (the first 20 pictures of several pictures, of sheets)
`

/** `--server` and `--draft`. */
export function withServers(command: Command): Command {
  return withDraft(
    command.option('--server <url>', 'ComfyUI server (repeatable; instead of those of foundry.yaml)', collect),
  )
}

function withDraft(command: Command): Command {
  // One run is of one renderer: drafts and real pictures are asked for one after the other.
  return command.addOption(new Option('--draft', 'render drafts on the embedded draft server').conflicts('server'))
}

function addRender(program: Command, host: CommandHost): void {
  withWaiting(
    withWishes(withServers(program.command('render <path...>').summary('render drops and wait for them'))).description(
      'Renders persona kits, persona manifests and render orders (or folders of them) and waits for the pictures.',
    ),
  )
    .addHelpText(
      'after',
      examples([
        ['foundry render manifests/aurora.yaml --draft', 'drafts, without any server'],
        ['foundry render manifests --server http://gpu1:8188', 'a folder of drops on a real ComfyUI'],
        ['foundry render aurora.yaml --templates hero-portrait --count 4', 'four portraits'],
        ['foundry render aurora.yaml --set mecha=0,0.25,0.5 --sheet --draft', 'a sweep of one slider, on one picture'],
        ['foundry render aurora.yaml --templates character-sheet', 'one persona from all sides, on one picture'],
        ['foundry render aurora.yaml --workflow mine --param cfg=5,6.5', 'parameters that its binding names'],
        ['foundry render aurora.yaml --reference face.png --workflow replicate-flux-2-pro', 'after a picture'],
        ['foundry render aurora.yaml --dry-run', 'what would be rendered'],
        ['foundry render aurora.yaml --count 400 --preview 20', '20 of 400; "foundry runs approve" renders the others'],
        ['foundry render aurora.yaml --use commercial', 'only with talents whose licence allows it'],
        ['foundry render aurora.yaml --priority rush', 'before all that is not in a rush'],
        ['foundry render aurora.yaml --family flux --label 24gb', 'on servers with that label ("foundry servers")'],
        ['foundry render nightly/*.yaml --timeout 3600 --json', 'from cron'],
      ]) +
        jsonHelp +
        exitCodeHelp,
    )
    .action(
      host.run<RenderFlags, [string[]]>(async (context, paths) => {
        const { runRender } = await import('./render-from-flags.js')
        return runRender(context, paths)
      }),
    )
}

function addPlan(program: Command, host: CommandHost): void {
  withWishes(withServers(program.command('plan <path...>').summary('what rendering drops would take')))
    .description(
      'Says what "foundry render" of the same would do, and renders nothing: pictures, switches of models and LoRAs, the share of ' +
        'each server, what servers lack, time and disk.',
    )
    .addHelpText(
      'after',
      examples([
        ['foundry plan manifests/aurora.yaml --server http://gpu1:8188', 'before an expensive night'],
        ['foundry plan nightly/*.yaml', 'all of them together, behind what waits already'],
        ['foundry plan aurora.yaml --set mecha=0,0.25,0.5 --json', 'for a script'],
      ]) +
        planJsonHelp +
        exitCodeHelp,
    )
    .action(
      host.run<RenderFlags, [string[]]>(async (context, paths) => {
        const { runPlan } = await import('./render-from-flags.js')
        return runPlan(context, paths)
      }),
    )
}

const planJsonHelp = `
With --json: exitCode, refused, before (what waits already), endsIn (of all together), and of each of the runs: run, slots, rendered,
reused, toRender, held, switches, servers, lacks, unfit, away, endsIn (seconds from lowS to highS), unmeasured, disk
`

const uses = useSchema.enum

const setHelp =
  'slider position 0–1, or several with commas: a sweep (repeatable); a pole by its name, creature=0.2: 20 % of the way to it'

/** What is wanted of drops, and how. */
function withWishes(command: Command): Command {
  return command
    .option('--templates <ids>', 'templates, separated by commas', commaList)
    .option('--workflow <name>', 'workflow by name, or the path of a ComfyUI API file')
    .addOption(new Option('--family <family>', 'model family').choices(families))
    .option('--seed <n>', 'order seed, from which every picture derives its own', wholeNumber)
    .option('--count <n>', 'pictures per view', countingNumber)
    .option('--set <slider=values>', setHelp, sliderValues)
    .option('--sheet', 'the whole sweep on one labelled picture: positions and weights')
    .option('--finish <finish>', 'instead of that of the personas ("foundry talents sliders" lists them)')
    .option(
      '--param <name=values>',
      'parameter of the workflow, several values with commas: a sweep (repeatable; "foundry workflows list")',
      parameterValues,
    )
    .option('--reference <file>', 'picture to render after (repeatable, in order; "foundry workflows list")', collect)
    .option('--prompt <words>', 'words in front of every prompt')
    .addOption(new Option('--use <use>', 'what the pictures are for: licences of talents must allow it').choices(uses))
    .option('--fresh', 'render anew even what was rendered before')
    .addOption(new Option('--priority <priority>', 'which runs are served first').choices(bands))
    .option('--weight <n>', 'share of the servers among runs of one priority, up to 100 (default 1)', share)
    .option('--label <label>', 'only on servers with this label (repeatable)', collect)
    .option('--preview <n>', 'render every nth picture first; the others wait for "runs approve"', everyNth)
}

function addAvatars(program: Command, host: CommandHost): void {
  withWaiting(
    withDraft(program.command('avatars').summary('the older avatar generator’s command line'))
      .description('Renders the persona manifest of a call folder: one picture per speaker, one backdrop per call.')
      .requiredOption('--persona-manifest <file>', 'path of persona_manifest.json')
      .requiredOption('--output-root <dir>', 'the run-* folder, which receives comfyui_images/avatar/')
      .option('--avatar-workflow <file>', 'workflow of personas (default: sdxl-text)')
      .option('--backdrop-workflow <file>', 'workflow of backdrops (default: sdxl-backdrop)')
      .option('--initial-prompt <words>', 'words in front of every prompt', '')
      .option('--api-url <url>', 'ComfyUI', 'http://127.0.0.1:8188')
      .option('--batch-size <n>', 'jobs in flight at most', countingNumber, 10),
  )
    .addHelpText(
      'after',
      examples([
        [
          'foundry avatars --persona-manifest run/characters/persona_manifest.json --output-root run',
          'on ComfyUI at its default address',
        ],
        ['foundry avatars --persona-manifest run/characters/persona_manifest.json --output-root run --draft', 'drafts'],
      ]) + exitCodeHelp,
    )
    .action(
      host.run<AvatarFlags, []>(async context => {
        const { runAvatars } = await import('./render-from-flags.js')
        return runAvatars(context)
      }),
    )
}

function addDaemon(program: Command, host: CommandHost): void {
  withServers(program.command('daemon').summary('watch folders, render what arrives, serve the API'))
    .description(
      'Watches manifests/ and the configured call folders, renders what arrives, and serves the API until SIGTERM.',
    )
    .option('--port <n>', 'port of the API (default 8787; 0: any)', portNumber)
    .option('--host <address>', 'address of the API (default 127.0.0.1)')
    .option('--log-file <file>', 'log to a file instead of stderr')
    .addHelpText(
      'after',
      examples([
        ['foundry daemon --draft', 'drafts'],
        ['foundry daemon --home /srv/foundry', 'as a service: src/cli/service/ holds a systemd unit and a crontab'],
      ]),
    )
    .action(
      host.run<ServerFlags & { port?: number; host?: string; logFile?: string }, []>(
        async ({ terminal, flags, config }) => {
          const { server: servers, draft, port, host: address, logFile } = flags
          const { runDaemon } = await import('./daemon-command.js')
          return runDaemon(await config({ servers, draft, port, host: address, logFile }), terminal)
        },
      ),
    )
}

function addWorker(program: Command, host: CommandHost): void {
  withServers(program.command('worker').summary('render on this machine for a daemon on another'))
    .description(
      'Renders for the home of a daemon on another machine, on the servers of this one, until SIGTERM. The foundry.yaml of that home ' +
        'names an engine ("engine: { name: bullmq, options: { url: redis://… } }"); jobs come through it, pictures go through the ' +
        'folder that both machines see, or a storage plugin. Any number of workers may come and go at any time.',
    )
    .requiredOption('--owner <url>', 'address of the daemon')
    .option(
      '--storage <dir>',
      'the folder that both see (default: the plugin that "storage" of foundry.yaml names here)',
    )
    .option('--name <name>', 'what it is called there (default: the name of this machine and the process)')
    .option('--token <name>', 'token of the daemon, as ${NAME} of the environment (default: FOUNDRY_API_TOKEN)')
    .option('--engine-url <url>', 'the engine, where its address is another one from here; ${NAME} as above')
    .option('--depth <n>', 'jobs on a server at once (default 2)', countingNumber)
    .option('--log-file <file>', 'log to a file instead of stderr')
    .addHelpText(
      'after',
      examples([
        ['foundry worker --owner http://studio:8787 --storage /mnt/foundry', 'on the ComfyUI of this machine'],
        [
          'foundry worker --owner http://studio:8787 --storage /mnt/foundry --server http://gpu1:8188 --server http://gpu2:8188',
          'on two servers',
        ],
        ['foundry worker --owner http://127.0.0.1:8787 --storage .foundry/shared --draft', 'drafts, to try it out'],
      ]),
    )
    .action(
      host.run<WorkerFlags, []>(async ({ terminal, flags, config }) => {
        const { server: servers, draft, depth, logFile } = flags
        const { runWorker } = await import('./worker-command.js')
        return runWorker(await config({ servers, draft, depth, logFile }), terminal, flags)
      }),
    )
}

function addDemo(program: Command, host: CommandHost): void {
  program
    .command('demo [dir]')
    .summary('render two example personas as drafts')
    .description('Renders two example personas as drafts into a home of its own (default foundry-demo).')
    .addHelpText('after', examples([['foundry demo /tmp/demo', 'no server, no GPU, a few seconds']]))
    .action(
      host.run<object, [string?]>(async ({ terminal, version }, dir) => {
        const { runDemo } = await import('./demo.js')
        return runDemo(resolve(dir ?? 'foundry-demo'), terminal, version)
      }),
    )
}

function addDraftServer(program: Command, host: CommandHost): void {
  program
    .command('draft-server')
    .summary('a ComfyUI that paints drafts')
    .description('Serves the ComfyUI protocol on loopback and paints drafts, until interrupted.')
    .option('--port <n>', 'port (default: any free one)', portNumber, 0)
    .option('--option <name=value>', 'an option of the draft server, e.g. version=0.3.64 (repeatable)', collect)
    .addHelpText(
      'after',
      draftServerOptionsHelp +
        examples([
          ['foundry draft-server --port 8188', 'where ComfyUI would be'],
          ['foundry draft-server --option jobMs=200 --option failRate=0.1', 'slow jobs, of which every tenth fails'],
          [
            `foundry draft-server --option isDisguised=true --option 'models={"checkpoints":{"a.safetensors":{"sizeBytes":1}}}'`,
            'taken for a real server, with that one model',
          ],
        ]),
    )
    .action(
      host.run<{ port: number; option?: string[]; verbose?: boolean }, []>(async ({ terminal, config, flags }) => {
        const { runDraftServer } = await import('./draft-server-command.js')
        return runDraftServer(await config(), terminal, flags)
      }),
    )
}

function withWaiting(command: Command): Command {
  return command
    .option('--timeout <seconds>', 'give up waiting after this long (exit 124); the run goes on next time', seconds)
    .option(
      '--on-done <command>',
      'run by the shell at the end, with FOUNDRY_EXIT_CODE, FOUNDRY_RUNS and FOUNDRY_MANIFESTS set',
    )
    .option('--dry-run', 'plan and check only: nothing is rendered or sent')
}
