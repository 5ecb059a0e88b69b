import { Command, CommanderError } from 'commander'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../config/package-root.js'
import { failure } from '../errors.js'
import { createHost, examples } from './command-context.js'
import { exitCodes } from './exit-codes.js'
import { addHomeCommands } from './home-commands.js'
import { addMixCommand } from './mix-commands.js'
import { addPluginCommands } from './plugin-commands.js'
import { addRenderCommands } from './render-commands.js'
import { addRunCommands } from './run-commands.js'
import { addServerCommands } from './server-commands.js'
import { addWorkflowCommands } from './workflow-commands.js'

/** The whole command line: parses, calls one operation or command, answers the exit code. */
export function createProgram(): (argv: readonly string[]) => Promise<number> {
  let exitCode: number = exitCodes.done
  const version = packageVersion()
  const program = new Command('foundry')
    .description('The render farm for characters: drop a persona, get consistent, traceable pictures.')
    .version(version, '-V, --version')
    .option('--home <dir>', 'the home to work in (default: the nearest one at or above the current folder)')
    .option('--json', 'answer as one JSON document on stdout, failures too')
    .option('--no-color', 'no colours, even on a terminal')
    .option('-v, --verbose', 'log as JSON lines to stderr')
    .showHelpAfterError('(add --help for the options and examples)')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText(
      'after',
      examples([
        ['foundry demo', 'a first look, without a server'],
        ['foundry init studio', 'a home to work in'],
        ['foundry doctor', 'what is missing for real pictures'],
      ]),
    )
  const host = createHost(version, code => {
    exitCode = code
  })
  addRenderCommands(program, host)
  addMixCommand(program, host)
  addRunCommands(program, host)
  addServerCommands(program, host)
  addHomeCommands(program, host)
  addWorkflowCommands(program, host)
  addPluginCommands(program, host)

  return async argv => {
    const isJson = argv.includes('--json')
    configureAll(program, isJson)
    try {
      await program.parseAsync([...argv])
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error
      if (error.exitCode === 0) return exitCodes.done
      if (isJson) throw usageFailure(error)
      return exitCodes.badInput
    }
    return exitCode
  }
}

/** Subcommands have settings of their own. */
function configureAll(command: Command, isJson: boolean): void {
  command.exitOverride()
  command.showHelpAfterError('(add --help for the options and examples)')
  // The one document on stdout says it; words for people would only be in the way.
  if (isJson) command.configureOutput({ writeErr: () => undefined })
  for (const each of command.commands) configureAll(each, isJson)
}

function usageFailure({ message }: CommanderError) {
  const problem = message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ')
  const isHelp = /^\(?outputHelp\)?$/.test(problem)
  return failure('USAGE_INVALID', {
    problem: isHelp ? 'A command is missing' : problem,
    next: 'add --help for the options and examples',
  })
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }
  return version
}
