import { type Command, Option } from 'commander'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { failure } from '../errors.js'
import { isWorkflowPath } from '../operations/choose-workflow.js'
import { families, type Family } from '../schema/template.js'
import { type CommandHost, examples, exitCodeHelp } from './command-context.js'
import { runDemo } from './demo.js'
import { runDraftServer } from './draft-server-command.js'
import { collect, commaList, countingNumber, portNumber, seconds, sliderValues, wholeNumber } from './option-values.js'
import { render, type RenderOptions } from './render.js'
import type { Terminal } from './terminal.js'

interface ServerFlags {
  server?: string[]
  draft?: boolean
}

interface WaitFlags {
  timeout?: number
  onDone?: string
  dryRun?: boolean
  verbose?: boolean
}

interface RenderFlags extends ServerFlags, WaitFlags {
  templates?: string[]
  workflow?: string
  family?: Family
  seed?: number
  count?: number
  set?: Record<string, number[]>
  prompt?: string
  fresh?: boolean
}

interface AvatarFlags extends WaitFlags {
  personaManifest: string
  outputRoot: string
  avatarWorkflow?: string
  backdropWorkflow?: string
  initialPrompt: string
  apiUrl: string
  batchSize: number
  draft?: boolean
}

/** What makes pictures: `render`, `avatars`, `daemon`, `demo`, `draft-server`. */
export function addRenderCommands(program: Command, host: CommandHost): void {
  addRender(program, host)
  addAvatars(program, host)
  addDaemon(program, host)
  addDemo(program, host)
  addDraftServer(program, host)
}

/** `--server` and `--draft`. */
export function withServers(command: Command): Command {
  return withDraft(
    command.option('--server <url>', 'ComfyUI server (repeatable; instead of those of foundry.yaml)', collect),
  )
}

function withDraft(command: Command): Command {
  return command.option('--draft', 'render drafts on the embedded draft server')
}

function addRender(program: Command, host: CommandHost): void {
  withWaiting(
    withServers(program.command('render <path...>').summary('render drops and wait for them'))
      .description(
        'Renders persona kits, persona manifests and render orders (or folders of them) and waits for the pictures.',
      )
      .option('--templates <ids>', 'templates, separated by commas', commaList)
      .option('--workflow <name>', 'workflow by name, or the path of a ComfyUI API file')
      .addOption(new Option('--family <family>', 'model family').choices(families))
      .option('--seed <n>', 'order seed, from which every picture derives its own', wholeNumber)
      .option('--count <n>', 'pictures per view', countingNumber)
      .option(
        '--set <slider=values>',
        'slider position 0–1, or several with commas: a sweep (repeatable)',
        sliderValues,
      )
      .option('--prompt <words>', 'words in front of every prompt')
      .option('--fresh', 'render anew even what was rendered before'),
  )
    .addHelpText(
      'after',
      examples([
        ['foundry render manifests/aurora.yaml --draft', 'drafts, without any server'],
        ['foundry render manifests --server http://gpu1:8188', 'a folder of drops on a real ComfyUI'],
        ['foundry render aurora.yaml --templates hero-portrait --count 4', 'four portraits'],
        ['foundry render aurora.yaml --set mecha=0,0.25,0.5 --draft', 'a sweep of one slider'],
        ['foundry render aurora.yaml --dry-run', 'what would be rendered'],
        ['foundry render nightly/*.yaml --timeout 3600 --json', 'from cron'],
      ]) + exitCodeHelp,
    )
    .action(
      host.run<RenderFlags, [string[]]>(async ({ terminal, flags, config }, paths) => {
        const { server: servers, draft, family } = flags
        return render(paths, await config({ servers, draft, family }), terminal, renderOptions(flags))
      }),
    )
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
      host.run<AvatarFlags, []>(async ({ terminal, flags, config }) => {
        const servers = flags.draft ? undefined : [flags.apiUrl]
        const options = avatarOptions(flags, terminal)
        return render([flags.personaManifest], await config({ servers, draft: flags.draft }), terminal, options)
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
          // The API is most of what is loaded, and no other command needs it.
          const { runDaemon } = await import('./daemon-command.js')
          return runDaemon(await config({ servers, draft, port, host: address, logFile }), terminal)
        },
      ),
    )
}

function addDemo(program: Command, host: CommandHost): void {
  program
    .command('demo [dir]')
    .summary('render two example personas as drafts')
    .description('Renders two example personas as drafts into a home of its own (default foundry-demo).')
    .addHelpText('after', examples([['foundry demo /tmp/demo', 'no server, no GPU, a few seconds']]))
    .action(
      host.run<object, [string?]>(async ({ terminal, version }, dir) =>
        runDemo(resolve(dir ?? 'foundry-demo'), terminal, version),
      ),
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
      examples([
        ['foundry draft-server --port 8188', 'where ComfyUI would be'],
        ['foundry draft-server --option faults.jobMs=200', 'each job takes at least 200 ms'],
      ]),
    )
    .action(
      host.run<{ port: number; option?: string[]; verbose?: boolean }, []>(async ({ terminal, config, flags }) =>
        runDraftServer(await config(), terminal, flags),
      ),
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

function renderOptions(flags: RenderFlags): RenderOptions {
  const { templates, workflow, family, seed, count, set, prompt, fresh, dryRun, draft, server } = flags
  return {
    submission: {
      ...(templates && { templates }),
      // Another process may do the work, in another folder.
      ...(workflow !== undefined && { workflow: isWorkflowPath(workflow) ? resolve(workflow) : workflow }),
      ...(family !== undefined && { family }),
      ...(seed !== undefined && { seed }),
      ...(count !== undefined && { count }),
      ...(set && { set }),
      ...(prompt !== undefined && { prompt }),
      ...(fresh && { fresh }),
      ...(dryRun && { dryRun }),
    },
    ...waiting(flags),
    ...(draft ? { asksFor: 'draft' as const } : server && { asksFor: 'servers' as const }),
  }
}

function avatarOptions(flags: AvatarFlags, terminal: Terminal): RenderOptions {
  const { outputRoot, batchSize, avatarWorkflow, backdropWorkflow, initialPrompt, dryRun, draft } = flags
  const persona = findWorkflowFile(avatarWorkflow, 'avatars', terminal)
  const backdrop = findWorkflowFile(backdropWorkflow, 'backdrops', terminal)
  if (persona === 'missing' && backdrop === 'missing')
    throw failure('USAGE_INVALID', { problem: 'Both workflow files are missing', next: 'nothing is left to render' })
  return {
    submission: {
      callFolder: resolve(outputRoot),
      inFlightMax: batchSize,
      ...(persona === 'missing' && { templates: ['backdrop'] }),
      ...(backdrop === 'missing' && { templates: ['hero-portrait'] }),
      ...(persona !== undefined && persona !== 'missing' && { workflow: persona.path }),
      ...(backdrop !== undefined && backdrop !== 'missing' && { backdropWorkflow: backdrop.path }),
      ...(initialPrompt.trim() !== '' && { prompt: initialPrompt }),
      ...(dryRun && { dryRun }),
    },
    ...waiting(flags),
    asksFor: draft ? 'draft' : 'servers',
  }
}

/** The older generator went on without the pictures of a workflow that is not there. */
function findWorkflowFile(
  path: string | undefined,
  pictures: string,
  terminal: Terminal,
): { path: string } | 'missing' | undefined {
  if (path === undefined) return undefined
  if (!isWorkflowPath(path) || existsSync(path)) return { path: isWorkflowPath(path) ? resolve(path) : path }
  const message = `There is no such workflow file: no ${pictures} are rendered`
  terminal.problems([{ severity: 'warning', code: 'WORKFLOW_FILE_MISSING', file: path, message }])
  return 'missing'
}

function waiting({ verbose, timeout, onDone }: WaitFlags): Omit<RenderOptions, 'submission'> {
  return {
    isVerbose: verbose ?? false,
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    ...(onDone !== undefined && { onDone }),
  }
}
