import type { Config } from '../config/config.js'
import type { ServerStatus } from '../farm/worker-host.js'
import type { ServerAnswer } from '../operations/servers.js'
import { throughDoor } from './door.js'
import { exitCodes } from './exit-codes.js'
import { counted, table, type Terminal } from './terminal.js'

export interface AddFlags {
  depth?: number
  label?: string[]
  token?: string
}

export interface WaitFlags {
  wait?: number
}

export type ServerAct = 'drain' | 'pause' | 'resume' | 'forgive' | 'remove'

/** `foundry servers list`. Answers the exit code. */
export function listServers(config: Config, terminal: Terminal): Promise<number> {
  return throughDoor(config, async door => {
    // Nobody works on this home, so nobody has looked.
    if (door.own) await door.own.foundry.farm.look()
    const { servers } = await door.call('servers.list', {})
    terminal.answer({ servers })
    terminal.say(describeServers(servers))
  })
}

/** `foundry servers add`. Answers the exit code. */
export function addServer(
  config: Config,
  terminal: Terminal,
  { name, url, depth, label, token }: AddFlags & { name: string; url: string },
): Promise<number> {
  return throughDoor(config, async door => {
    const answer = await door.call('servers.add', { name, url, depth, labels: label, token })
    terminal.answer(answer)
    const { isNew, state, reason, renderer = '', version = '' } = answer
    terminal.say(`${name} ${isNew ? 'is added' : 'was added already'}: ${describeState(answer)}`)
    if (state === 'ready') terminal.say(`  ${renderer} ${version}`.trimEnd())
    else terminal.say(`  it is asked again until it answers (${reason ?? 'no answer'})`)
    tellKept(answer, terminal)
  })
}

/** `foundry servers drain` and its like. Answers the exit code. */
export function actOnServer(
  config: Config,
  terminal: Terminal,
  { act, server, wait }: { act: ServerAct; server: string; wait: number | undefined },
): Promise<number> {
  return throughDoor(config, async door => {
    if (act === 'remove') {
      const answer = await door.call('servers.remove', { name: server, waitSeconds: wait })
      terminal.answer(answer)
      terminal.say(`${server} is removed`)
      return exitCodes.done
    }
    if (act === 'drain') {
      const answer = await door.call('servers.drain', { name: server, waitSeconds: wait })
      const { left } = answer
      terminal.answer(answer)
      terminal.say(
        left === 0 ? `${server} is drained: nothing is on it` : `${server} still has ${counted(left, 'job')}:`,
      )
      if (left > 0) for (const line of describeJobs(answer)) terminal.say(`  ${line}`)
      tellKept(answer, terminal)
      return left === 0 ? exitCodes.done : exitCodes.timedOut
    }
    const answer = await door.call(`servers.${act}`, { name: server })
    terminal.answer(answer)
    terminal.say(act === 'forgive' ? `${server} is forgiven` : `${server} is ${answer.mode}`)
    if (act !== 'forgive') tellKept(answer, terminal)
    return exitCodes.done
  })
}

function tellKept({ name, isKept }: ServerAnswer, terminal: Terminal): void {
  if (!isKept)
    terminal.note(
      `This foundry was started with servers of its own (--server, --draft or FOUNDRY_SERVER): what it is told of ${name} ` +
        'is not applied when it is started so again',
    )
}

/** A table, and below each server what does not fit into it. */
export function describeServers(servers: readonly ServerStatus[]): string {
  const [head = '', ...rows] = table([
    ['SERVER', 'STATE', 'RENDERS', 'DEPTH', 'SINCE START', 'AT'],
    ...servers.map(server => [
      server.name,
      describeState(server),
      [server.renderer, server.version].filter(Boolean).join(' ') || '-',
      String(server.depth),
      `${server.rendered} rendered, ${server.failed} failed`,
      server.url ?? server.provider,
    ]),
  ]).split('\n')
  const lines = servers.flatMap((server, at) => [rows[at] ?? '', ...describeWork(server).map(line => `  ${line}`)])
  return [head, ...lines].join('\n')
}

/** The time is that of the reader's clock. */
function describeState({ state, mode, restsUntil }: ServerStatus): string {
  const isResting = state === 'ready' && restsUntil !== undefined
  const shown = isResting ? `resting until ${new Date(restsUntil).toTimeString().slice(0, 8)}` : state
  return mode === 'active' ? shown : `${shown}, ${mode}`
}

/** What does not fit into a row. */
function describeWork(server: ServerStatus): string[] {
  const { avoided, labels, modelSet, models = [], loras = [], speeds } = server
  const loaded = [...(models.length > 0 ? models : [`models ${modelSet}`]), ...loras].join(', ')
  return [
    ...(avoided === undefined ? [] : [`avoided  ${avoided}`]),
    ...(labels.length > 0 ? [`labels   ${labels.join(', ')}`] : []),
    ...describeJobs(server),
    ...(modelSet === undefined ? [] : [`loaded   ${loaded} (${modelSet.slice(0, 8)})`]),
    ...Object.entries(speeds).map(([work, ms]) => `speed    ${work} ${describeSeconds(ms)} a job`),
  ]
}

function describeJobs({ jobs }: ServerStatus): string[] {
  return jobs.map(({ run, slot, state, value, max }) => {
    const progress = value === undefined || max === undefined ? '' : ` ${value}/${max}`
    return `${state.padEnd(7)}  ${run} ${slot}${progress}`
  })
}

function describeSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`
}
