import type { Command } from 'commander'
import type { AddFlags, ServerAct, WaitFlags } from './ask-servers.js'
import { type CommandHost, examples } from './command-context.js'
import { collect, countingNumber, waitSeconds } from './option-values.js'
import { refuseUnknown } from './refuse-unknown.js'

/** What asks about servers, or acts on them: `servers …`. */
export function addServerCommands(program: Command, host: CommandHost): void {
  const servers = program
    .command('servers')
    .summary('list, add, drain, pause, resume, forgive, remove servers')
    .description(
      'Lists servers and acts on them, also while a daemon works. What is done is kept: the next start applies it. Servers that ' +
        'are named by --server, --draft or FOUNDRY_SERVER stand for that process alone, and none of this holds for them.',
    )
    .addHelpText('after', examples([['foundry servers', 'what each of them is doing']]))
  servers
    .command('list', { isDefault: true })
    .description('Lists the servers: state, what is loaded, what is rendered and waits, speed, and why one is avoided.')
    .allowExcessArguments()
    .addHelpText('after', examples([['foundry servers list --json', 'for a script']]))
    .action(
      host.run<object, unknown[]>(async ({ terminal, config }) => {
        refuseUnknown(servers)
        return (await load()).listServers(await config(), terminal)
      }),
    )
  servers
    .command('add <name> <url>')
    .description('Adds a server. The same again changes nothing; with "remove" and "add" an address is changed.')
    .option('--depth <n>', 'jobs on it at once, one of them running (default 2)', countingNumber)
    .option('--label <label>', 'what "foundry render --label" may ask for (repeatable)', collect)
    .option('--token <variable>', "bearer token, as '${NAME}' of the environment in which the foundry runs")
    .addHelpText(
      'after',
      examples([
        ['foundry servers add gpu2 http://gpu2:8188', 'it works at once'],
        ["foundry servers add gpu3 https://gpu3.example/comfy --token '${GPU3_TOKEN}'", 'the token is never written'],
        ['foundry servers add big http://big:8188 --label 24gb --depth 1', 'for "foundry render --label 24gb"'],
      ]),
    )
    .action(
      host.run<AddFlags, [string, string]>(async ({ terminal, config, flags }, name, url) =>
        (await load()).addServer(await config(), terminal, { ...flags, name, url }),
      ),
    )
  for (const { name, description, shown, isWaiting } of acts) {
    const command = servers.command(`${name} <name>`).description(description)
    if (isWaiting) command.option('--wait <seconds>', 'how long to wait for what it has, up to 500', waitSeconds)
    command
      .addHelpText('after', examples(shown))
      .action(
        host.run<WaitFlags, [string]>(async ({ terminal, config, flags: { wait } }, server) =>
          (await load()).actOnServer(await config(), terminal, { act: name, server, wait }),
        ),
      )
  }
}

/** Loads what asks only when something is asked. */
function load() {
  return import('./ask-servers.js')
}

const acts: readonly {
  name: ServerAct
  description: string
  shown: readonly (readonly [string, string])[]
  isWaiting: boolean
}[] = [
  {
    name: 'drain',
    description:
      'Sends a server no more jobs, and waits until it has ended those that it has (exit 124 when it has not in time).',
    shown: [['foundry servers drain gpu1 --wait 300', 'before its machine is switched off']],
    isWaiting: true,
  },
  {
    name: 'pause',
    description: 'Sends a server no more jobs until it is resumed; what it has goes on.',
    shown: [['foundry servers pause gpu1', 'somebody needs the card']],
    isWaiting: false,
  },
  {
    name: 'resume',
    description: 'Lets a server work again that was paused or drained.',
    shown: [['foundry servers resume gpu1', 'the card is free again']],
    isWaiting: false,
  },
  {
    name: 'forgive',
    description: 'Forgets what a server has done wrong and what it lacked: it is tried again at once.',
    shown: [['foundry servers forgive gpu1', 'its missing model is there now']],
    isWaiting: false,
  },
  {
    name: 'remove',
    description:
      'Takes a server away that was added; what it has not ended in time is rendered by others. One that stands in foundry.yaml ' +
      'is taken out there, or paused.',
    shown: [['foundry servers remove gpu2 --wait 0', 'what it has is rendered elsewhere at once']],
    isWaiting: true,
  },
]
