import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Config, loadConfig, packageRoot } from '../config/config.js'
import { failure } from '../errors.js'
import { publishedSchemas } from '../schema/publish.js'
import { families, type Family } from '../schema/template.js'
import { completionScript } from './completion.js'
import { runDaemon } from './daemon-command.js'
import { runDemo } from './demo.js'
import { runDoctor } from './doctor.js'
import { runDraftServer } from './draft-server-command.js'
import { exitCodes } from './exit-codes.js'
import { initHome } from './init.js'
import { ask } from './ask.js'
import { render, type RenderOptions } from './render.js'
import { listTalents, printIndex, showTalent, validateTalents } from './talents-commands.js'
import { createTerminal, type Terminal } from './terminal.js'

interface GlobalFlags {
  home?: string
  json?: boolean
  color?: boolean
  verbose?: boolean
}

interface RenderFlags extends GlobalFlags {
  server?: string[]
  draft?: boolean
  templates?: string[]
  workflow?: string
  family?: Family
  seed?: number
  count?: number
  set?: Record<string, number[]>
  prompt?: string
  fresh?: boolean
  timeout?: number
  onDone?: string
  dryRun?: boolean
}

/** The whole command line: parses, calls one operation or command, answers the exit code. */
export function createProgram(): (argv: readonly string[]) => Promise<number> {
  let code: number = exitCodes.done
  const version = packageVersion()
  const program = new Command('foundry')
    .description('The render farm for characters: drop a persona, get consistent, traceable pictures.')
    .version(version, '-V, --version')
    .option('--home <dir>', 'the home to work in (default: the nearest one at or above the current folder)')
    .option('--json', 'answer as JSON on stdout')
    .option('--no-color', 'no colours, even on a terminal')
    .option('-v, --verbose', 'log as JSON lines to stderr')
    .showHelpAfterError('(add --help for the options and examples)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()

  /** What every command gets: its flags with the global ones, a terminal, and the configuration made from both. */
  const action =
    <Args extends unknown[]>(
      work: (
        context: { terminal: Terminal; flags: RenderFlags; config(): Promise<Config> },
        ...args: Args
      ) => Promise<number>,
    ) =>
    async (...all: unknown[]) => {
      const command = all.at(-1) as Command
      const flags = command.optsWithGlobals<RenderFlags>()
      const terminal = createTerminal({
        json: flags.json ?? false,
        colour: flags.color !== false && process.env['NO_COLOR'] === undefined,
      })
      const config = () =>
        loadConfig(
          { home: flags.home, servers: flags.server, draft: flags.draft, family: flags.family },
          process.env,
          version,
        )
      code = await work({ terminal, flags, config }, ...(all.slice(0, -2) as Args))
    }

  withServers(program.command('render <path...>').summary('render drops and wait for them'))
    .description(
      'Renders persona kits, persona manifests and render orders (or folders of them) and waits for the pictures.',
    )
    .option('--templates <ids>', 'templates, separated by commas', commaList)
    .option('--workflow <name>', 'workflow by name, or the path of a ComfyUI API file')
    .addOption(new Option('--family <family>', 'model family').choices(families))
    .option('--seed <n>', 'order seed, from which every picture derives its own', wholeNumber)
    .option('--count <n>', 'pictures per view', positiveNumber)
    .option('--set <slider=values>', 'slider position 0–1, or several with commas: a sweep (repeatable)', sliderValues)
    .option('--prompt <words>', 'words in front of every prompt')
    .option('--fresh', 'render anew even what was rendered before')
    .option(
      '--timeout <seconds>',
      'give up waiting after this long (exit 124); the run goes on next time',
      positiveNumber,
    )
    .option(
      '--on-done <command>',
      'run by the shell at the end, with FOUNDRY_EXIT_CODE, FOUNDRY_RUNS and FOUNDRY_MANIFESTS set',
    )
    .option('--dry-run', 'plan and check only: nothing is written or sent')
    .addHelpText(
      'after',
      examples([
        ['foundry render manifests/aurora.yaml --draft', 'drafts, without any server'],
        ['foundry render manifests --server http://gpu1:8188', 'a folder of drops on a real ComfyUI'],
        ['foundry render aurora.yaml --templates hero-portrait --count 4', 'four portraits'],
        ['foundry render aurora.yaml --set mecha=0,0.25,0.5 --draft', 'a sweep of one slider'],
        ['foundry render nightly/*.yaml --timeout 3600 --json', 'from cron'],
      ]) + exitCodeHelp,
    )
    .action(
      action(async ({ terminal, flags, config }, paths: string[]) =>
        render(paths, await config(), terminal, renderOptions(flags)),
      ),
    )

  withServers(program.command('avatars').summary('the older avatar generator’s command line'), false)
    .description('Renders the persona manifest of a call folder: one picture per speaker, one backdrop per call.')
    .requiredOption('--persona-manifest <file>', 'path of persona_manifest.json')
    .requiredOption('--output-root <dir>', 'the run-* folder, which receives comfyui_images/avatar/')
    .option('--avatar-workflow <file>', 'workflow of personas (default: sdxl-text)')
    .option('--backdrop-workflow <file>', 'workflow of backdrops (default: sdxl-backdrop)')
    .option('--initial-prompt <words>', 'words in front of every prompt', '')
    .option('--api-url <url>', 'ComfyUI', 'http://127.0.0.1:8188')
    .option('--batch-size <n>', 'jobs in flight at most', positiveNumber, 10)
    .option('--timeout <seconds>', 'give up waiting after this long (exit 124)', positiveNumber)
    .option('--dry-run', 'plan and check only')
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
      action(async ({ terminal, flags }) => {
        const own = flags as RenderFlags & AvatarFlags
        const servers = own.draft ? undefined : [own.apiUrl]
        const config = await loadConfig(
          { home: own.home, servers, draft: own.draft, family: 'sdxl' },
          process.env,
          version,
        )
        return render([own.personaManifest], config, terminal, avatarOptions(own))
      }),
    )

  program
    .command('daemon')
    .summary('watch folders, render what arrives, serve the API')
    .description(
      'Watches manifests/ and the configured call folders, renders what arrives, and serves the API until SIGTERM.',
    )
    .option('--server <url>', 'ComfyUI server (repeatable; instead of those of foundry.yaml)', collect)
    .option('--draft', 'render drafts on the embedded draft server')
    .option('--port <n>', 'port of the API (default 8787; 0: any)', wholeNumber)
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
      action(async ({ terminal, flags }) => {
        const own = flags as GlobalFlags & {
          server?: string[]
          draft?: boolean
          port?: number
          host?: string
          logFile?: string
        }
        const config = await loadConfig(
          {
            home: own.home,
            servers: own.server,
            draft: own.draft,
            port: own.port,
            host: own.host,
            logFile: own.logFile,
          },
          process.env,
          version,
        )
        return runDaemon(config, terminal)
      }),
    )

  const runs = program.command('runs').summary('list, show, cancel, retry, remove runs')
  runs
    .command('list', { isDefault: true })
    .description('Lists runs, the newest first.')
    .option('--state <state>', 'waiting, running, done, failed or cancelled')
    .option('--limit <n>', 'at most this many', positiveNumber, 50)
    .action(action(async ({ terminal, config, flags }) => ask(await config(), terminal).listRuns(flags as object)))
  runs
    .command('show <run>')
    .description('Shows a run and its slots. The beginning of its name is enough.')
    .option('--state <state>', 'only slots in this state')
    .option('--limit <n>', 'at most this many slots', positiveNumber, 50)
    .action(
      action(async ({ terminal, config, flags }, run: string) =>
        ask(await config(), terminal).showRun(run, flags as object),
      ),
    )
  runs
    .command('events <run>')
    .description('Prints what happened to a run, as JSON lines.')
    .option('--limit <n>', 'at most this many', positiveNumber, 1000)
    .action(
      action(async ({ terminal, config, flags }, run: string) =>
        ask(await config(), terminal).events(run, flags as object),
      ),
    )
  runs
    .command('cancel <run>')
    .description('Stops a run: what is done stays.')
    .action(action(async ({ terminal, config }, run: string) => ask(await config(), terminal).act('cancelRun', run)))
  runs
    .command('retry <run>')
    .description(
      'Tries again what failed or was cancelled. Without a daemon, the next "foundry render" of the drop renders it.',
    )
    .action(action(async ({ terminal, config }, run: string) => ask(await config(), terminal).act('retryRun', run)))
  runs
    .command('rm <run>')
    .description('Forgets a run that has ended and deletes its folder.')
    .action(action(async ({ terminal, config }, run: string) => ask(await config(), terminal).remove(run)))
  runs
    .command('prune')
    .description('Removes runs that ended long ago.')
    .requiredOption('--days <n>', 'ended at least this many days ago', nonNegative)
    .option('--state <state>', 'only done, failed or cancelled ones')
    .option('--dry-run', 'only say which')
    .addHelpText('after', examples([['foundry runs prune --days 30 --dry-run', 'what would go']]))
    .action(action(async ({ terminal, config, flags }) => ask(await config(), terminal).prune(flags as object)))

  program
    .command('status')
    .description('What the foundry of this home is doing.')
    .action(action(async ({ terminal, config }) => ask(await config(), terminal).status()))
  program
    .command('drops')
    .description('Drops that were seen, and what became of them.')
    .option('--refused', 'only those that were refused')
    .action(
      action(async ({ terminal, config, flags }) =>
        ask(await config(), terminal).drops((flags as { refused?: boolean }).refused),
      ),
    )
  program
    .command('verify <run>')
    .description('Hashes every input and output of a run again and names each difference (exit 1).')
    .action(action(async ({ terminal, config }, run: string) => ask(await config(), terminal).verify(run)))
  withServers(program.command('reproduce <image>'))
    .description('Renders a picture again from the image file alone, and says whether graph and pixels are the same.')
    .option('--output <file>', 'where the new picture goes (default: beside the old one)')
    .option('--dry-run', 'only compare the graph with the record')
    .action(
      action(async ({ terminal, config, flags }, image: string) =>
        ask(await config(), terminal).reproduce(resolve(image), flags as object),
      ),
    )
  withServers(program.command('doctor'))
    .description(
      'Looks for what is wrong (Node, configuration, folders, servers, models, LoRAs) and says what to type.',
    )
    .option('--repair', 'set the damaged end of a journal aside')
    .action(
      action(async ({ terminal, config, flags }) =>
        runDoctor(await config(), terminal, (flags as { repair?: boolean }).repair ?? false),
      ),
    )
  program
    .command('init <dir>')
    .description('Makes a home: data folders with examples, and a foundry.yaml to begin with.')
    .option('--empty', 'no example personas')
    .action(
      action(async ({ terminal, flags }, dir: string) =>
        initHome(resolve(dir), terminal, { examples: !(flags as { empty?: boolean }).empty }),
      ),
    )
  program
    .command('demo [dir]')
    .description('Renders two example personas as drafts into a home of its own (default foundry-demo).')
    .action(action(async ({ terminal }, dir?: string) => runDemo(resolve(dir ?? 'foundry-demo'), terminal, version)))
  program
    .command('draft-server')
    .description('Serves the ComfyUI protocol on loopback and paints drafts, until interrupted.')
    .option('--port <n>', 'port (default: any free one)', wholeNumber, 0)
    .option('--option <name=value>', 'an option of the draft server, e.g. jobMs=200 (repeatable)', collect)
    .action(
      action(async ({ terminal, config, flags }) =>
        runDraftServer(await config(), terminal, flags as { port: number; option?: string[] }),
      ),
    )

  const talents = program.command('talents').summary('list, show, validate, index LoRA kits')
  talents
    .command('list', { isDefault: true })
    .description('Lists the kits of this home and its plugins.')
    .action(action(async ({ terminal, config }) => listTalents(await config(), terminal)))
  talents
    .command('show <id>')
    .description('Shows one kit.')
    .action(action(async ({ terminal, config }, id: string) => showTalent(await config(), terminal, id)))
  talents
    .command('validate [folder]')
    .description('Names everything wrong with the kits (exit 1 if one cannot be used).')
    .action(action(async ({ terminal, config }, folder?: string) => validateTalents(await config(), terminal, folder)))
  talents
    .command('index')
    .description('Prints the index of the kits as JSON.')
    .option('--include-invalid', 'also kits that Talent Factory would leave out, with their errors and warnings')
    .action(
      action(async ({ terminal, config, flags }) =>
        printIndex(await config(), terminal, (flags as { includeInvalid?: boolean }).includeInvalid ?? false),
      ),
    )

  program
    .command('schema [name]')
    .description('Prints a JSON Schema for your editor, or the names of all.')
    .action(
      action(async ({ terminal }, name?: string) => {
        const schema = name === undefined ? Object.keys(publishedSchemas) : publishedSchemas[name]
        if (!schema)
          throw failure('USAGE_INVALID', {
            problem: `No schema is named "${name}"`,
            next: Object.keys(publishedSchemas).join(', '),
          })
        terminal.isJson
          ? terminal.answer(schema)
          : terminal.say(Array.isArray(schema) ? schema.join('\n') : JSON.stringify(schema, null, 2))
        return exitCodes.done
      }),
    )
  program
    .command('completion <shell>')
    .description('Prints the completion script of bash, zsh or fish.')
    .addHelpText('after', examples([['foundry completion bash > /etc/bash_completion.d/foundry', 'for bash']]))
    .action(
      action(async ({ terminal }, shell: string) => {
        terminal.say(completionScript(program, shell))
        return exitCodes.done
      }),
    )

  return async argv => {
    try {
      await program.parseAsync([...argv])
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error
      return error.exitCode === 0 ? exitCodes.done : exitCodes.badInput
    }
    return code
  }
}

interface AvatarFlags {
  personaManifest: string
  outputRoot: string
  avatarWorkflow?: string
  backdropWorkflow?: string
  initialPrompt: string
  apiUrl: string
  batchSize: number
}

function renderOptions(flags: RenderFlags): RenderOptions {
  return {
    submission: {
      ...(flags.templates && { templates: flags.templates }),
      ...(flags.workflow !== undefined && { workflow: flags.workflow.endsWith('.json') ? resolve(flags.workflow) : flags.workflow }),
      ...(flags.family !== undefined && { family: flags.family }),
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(flags.count !== undefined && { count: flags.count }),
      ...(flags.set && { set: flags.set }),
      ...(flags.prompt !== undefined && { prompt: flags.prompt }),
      ...(flags.fresh && { fresh: true }),
      ...(flags.dryRun && { dryRun: true }),
    },
    ...waiting(flags),
  }
}

function avatarOptions(flags: RenderFlags & AvatarFlags): RenderOptions {
  return {
    submission: {
      callFolder: resolve(flags.outputRoot),
      family: 'sdxl',
      inFlightMax: flags.batchSize,
      ...(flags.avatarWorkflow !== undefined && { workflow: resolve(flags.avatarWorkflow) }),
      ...(flags.backdropWorkflow !== undefined && { backdropWorkflow: resolve(flags.backdropWorkflow) }),
      ...(flags.initialPrompt !== '' && { prompt: flags.initialPrompt }),
      ...(flags.dryRun && { dryRun: true }),
    },
    ...waiting(flags),
  }
}

function waiting(flags: RenderFlags): Omit<RenderOptions, 'submission'> {
  return {
    isVerbose: flags.verbose ?? false,
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout * 1000 }),
    ...(flags.onDone !== undefined && { onDone: flags.onDone }),
  }
}

function withServers(command: Command, hasServer = true): Command {
  if (hasServer)
    command.option('--server <url>', 'ComfyUI server (repeatable; instead of those of foundry.yaml)', collect)
  return command.option('--draft', 'render drafts on the embedded draft server')
}

function examples(list: readonly (readonly [string, string])[]): string {
  return `\nExamples:\n${list.map(([command, why]) => `  ${command}\n      ${why}`).join('\n')}\n`
}

const exitCodeHelp = `
Exit codes: 0 all done or already done · 1 some failed · 2 bad input or usage · 3 no server · 124 timed out · 130 interrupted
`

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

function commaList(value: string): string[] {
  return value
    .split(',')
    .map(each => each.trim())
    .filter(Boolean)
}

function wholeNumber(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('Allowed: a whole number from 0.')
  return number
}

function positiveNumber(value: string): number {
  const number = Number(value)
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('Allowed: a number above 0.')
  return number
}

function nonNegative(value: string): number {
  const number = Number(value)
  if (!Number.isFinite(number) || number < 0) throw new InvalidArgumentError('Allowed: a number from 0.')
  return number
}

function sliderValues(value: string, before: Record<string, number[]> = {}): Record<string, number[]> {
  const [key = '', list = ''] = value.split('=')
  const values = list.split(',').map(Number)
  if (!/^[A-Za-z0-9_-]+$/.test(key) || list === '' || values.some(each => !(each >= 0 && each <= 1))) {
    throw new InvalidArgumentError('Allowed: slider=position from 0 to 1, e.g. mecha=0.3 or mecha=0,0.5,1.')
  }
  return { ...before, [key]: values }
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
  return version
}
