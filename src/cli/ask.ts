import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, isHome } from '../config/config.js'
import { homePaths } from '../config/home-paths.js'
import { type Door, openDoor } from './door.js'
import { exitCodes } from './exit-codes.js'
import { table, type Terminal } from './terminal.js'

export interface ListFlags {
  state?: string
  limit?: number
}

export interface PruneFlags {
  days: number
  state?: string
  dryRun?: boolean
}

/** The commands that ask one operation and print its answer. */
export function ask(config: Config, terminal: Terminal) {
  const through = async (work: (door: Door) => Promise<number | undefined>, home = config): Promise<number> => {
    const door = await openDoor(home)
    try {
      return (await work(door)) ?? exitCodes.done
    } finally {
      await door.close()
    }
  }
  return {
    listRuns: ({ state, limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.list', {
          ...(state !== undefined && { state }),
          ...(limit !== undefined && { limit }),
        })
        terminal.answer(answer)
        if (answer.runs.length === 0) terminal.say('No runs yet: "foundry render PATH" makes one.')
        else
          terminal.say(
            table([
              ['RUN', 'STATE', 'DONE', 'ACCEPTED', 'FROM'],
              ...answer.runs.map(run => [
                run.run,
                run.state,
                `${run.counts['done']}/${run.counts['slots']}`,
                run.acceptedAt.slice(0, 16),
                run.key,
              ]),
            ]),
          )
        return undefined
      }),
    showRun: (id: string, { state, limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.show', {
          id,
          ...(state !== undefined && { state }),
          ...(limit !== undefined && { limit }),
        })
        terminal.answer(answer)
        terminal.say(
          `${answer.run} is ${answer.state}: ${answer.counts['done']} of ${answer.counts['slots']} done\n  ${answer.folder}`,
        )
        if (answer.slots.length > 0)
          terminal.say(table(answer.slots.map(slot => [slot.slot, slot.state, slot.file ?? slot.reason ?? ''])))
        if (answer.total > answer.slots.length)
          terminal.say(`… ${answer.total - answer.slots.length} more: --limit ${answer.total}`)
        return undefined
      }),
    events: (id: string, { limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.events', { id, ...(limit !== undefined && { limit }) })
        terminal.answer(answer)
        for (const event of answer.events) terminal.say(JSON.stringify(event))
        return undefined
      }),
    act: (name: 'runs.cancel' | 'runs.retry', id: string) =>
      through(async door => {
        const answer = await door.call(name, { id })
        terminal.answer(answer)
        terminal.say(`${answer.run} is ${answer.state}`)
        return undefined
      }),
    remove: (id: string) =>
      through(async door => {
        const answer = await door.call('runs.remove', { id })
        terminal.answer(answer)
        terminal.say(`Removed ${answer.removed.join(', ')}`)
        return undefined
      }),
    prune: ({ days, state, dryRun }: PruneFlags) =>
      through(async door => {
        const answer = await door.call('runs.prune', {
          days,
          ...(state !== undefined && { state }),
          dryRun: dryRun ?? false,
        })
        terminal.answer(answer)
        const { removed } = answer
        const count = removed.length === 1 ? '1 run' : `${removed.length} runs`
        terminal.say([`${dryRun ? 'Would remove' : 'Removed'} ${count}`, ...removed].join('\n  '))
        return undefined
      }),
    status: () =>
      through(async door => {
        const answer = await door.call('status', {})
        terminal.answer({ ...answer, daemon: door.owner !== undefined })
        terminal.say(
          door.owner
            ? `Process ${answer.pid} works on ${answer.home} since ${answer.startedAt}`
            : `Nobody works on ${answer.home}`,
        )
        terminal.say(`runs   ${list(answer.runs)}\nslots  ${list(answer.slots)}`)
        for (const server of answer.servers)
          terminal.say(
            `server ${server.name} (${server.provider}): ${server.state}${server.reason === undefined ? '' : `, ${server.reason}`}`,
          )
        return undefined
      }),
    drops: (refused: boolean | undefined) =>
      through(async door => {
        const answer = await door.call('drops', refused === undefined ? {} : { refused })
        terminal.answer(answer)
        if (answer.drops.length === 0) terminal.say('No drop was seen: "foundry daemon" watches manifests/.')
        else
          terminal.say(
            table(answer.drops.map(drop => [drop.state, drop.run ?? `${drop.code} (${drop.problems})`, drop.drop])),
          )
        return undefined
      }),
    verify: (id: string) =>
      through(async door => {
        const answer = await door.call('verify', { id })
        terminal.answer(answer)
        for (const { what, expected, found } of answer.differences) {
          terminal.say(
            `${terminal.paint('red', '✘')} ${what}: recorded ${expected.slice(0, 16)}, found ${found.slice(0, 64)}`,
          )
        }
        if (answer.differences.length > 0) return exitCodes.someFailed
        terminal.say(
          `${terminal.paint('green', '✔')} ${answer.run}: ${answer.images} images with their traces and ${answer.inputs} inputs are as recorded`,
        )
        return undefined
      }),
    reproduce: async (image: string, { output, dryRun }: { output?: string; dryRun?: boolean }) =>
      withHome(config, home =>
        through(async door => {
          const wanted = { image, ...(output !== undefined && { output }), ...(dryRun && { dryRun }) }
          const answer = await door.call('reproduce', wanted)
          terminal.answer(answer)
          terminal.say(`graph  ${answer.submitted} ${answer.sameGraph ? '= recorded' : '≠ recorded'}`)
          if ('output' in answer)
            terminal.say(`pixels ${answer.samePixels ? 'the same' : 'differ'}\nimage  ${answer.output}`)
          return undefined
        }, home),
      ),
  }
}

/** A picture that carries its words needs no home: elsewhere one is lent for the moment. */
async function withHome(config: Config, work: (config: Config) => Promise<number>): Promise<number> {
  if (isHome(config.paths.home)) return work(config)
  const lent = await mkdtemp(join(tmpdir(), 'foundry-'))
  try {
    await mkdir(homePaths(lent).dot)
    return await work({ ...config, paths: homePaths(lent) })
  } finally {
    await rm(lent, { recursive: true, force: true })
  }
}

function list(counts: Record<string, number>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0)
  return parts.map(([state, count]) => `${count} ${state}`).join(', ') || 'none'
}
