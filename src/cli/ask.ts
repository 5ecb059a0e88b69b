import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, isHome } from '../config/config.js'
import { homePaths } from '../config/home-paths.js'
import { failure } from '../errors.js'
import { isSha256 } from '../files/hash.js'
import type { ActAnswer } from '../operations/run-acts.js'
import type { Wish } from '../operations/run-priority.js'
import { describeValues } from '../plan/slots.js'
import { checkOwner, type ServerWish } from './check-owner.js'
import { configChangedHint } from './config-changed.js'
import { describeChange, describeCourse } from './describe-course.js'
import { describeRange } from './describe-range.js'
import { describeWait } from './describe-wait.js'
import { type Door, throughDoor } from './door.js'
import { exitCodes } from './exit-codes.js'
import { counted, table, type Terminal } from './terminal.js'

export interface ListFlags {
  state?: string
  limit?: number
}

export interface PruneFlags {
  days: number
  state?: string
  dryRun?: boolean
}

/** The part of a run that an act is about. */
export interface PartFlags {
  persona?: string
  slot?: string
}

export interface AuditFlags {
  run?: string
  limit?: number
}

export type ActName = 'runs.pause' | 'runs.resume' | 'runs.approve' | 'runs.cancel' | 'runs.retry'

/** The commands that ask one operation and print its answer. */
export function ask(config: Config, terminal: Terminal) {
  const through = (work: Parameters<typeof throughDoor>[1]) => throughDoor(config, work)
  return {
    listRuns: ({ state, limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.list', { state: asJournaled(state), limit })
        const shown = answer.runs.map(run => ({ ...run, state: stateAt(door, run.state) }))
        const runs = shown.filter(run => state === undefined || run.state === state)
        terminal.answer({ ...answer, total: runs.length === 0 ? 0 : answer.total, runs })
        if (answer.all === 0) terminal.say('No runs yet: "foundry render PATH" makes one.')
        else if (runs.length === 0)
          terminal.say(`No run is ${state}. Runs in all: ${answer.all} ("foundry runs list").`)
        else {
          const notes = runs.map(describeCourse)
          // Most homes have nothing to note of any run.
          const noted = (note: string) => (notes.some(Boolean) ? [note] : [])
          terminal.say(
            table([
              ['RUN', 'STATE', 'DONE', 'ACCEPTED', ...noted('NOTES'), 'FROM'],
              ...runs.map((run, at) => [
                run.run,
                run.state,
                `${run.counts['done']}/${run.counts['slots']}`,
                run.acceptedAt.slice(0, 16),
                ...noted(notes[at] ?? ''),
                run.key,
              ]),
            ]),
          )
        }
      }),
    showRun: (id: string, { state, limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.show', { id, state: asJournaled(state), limit })
        const found = stateAt(door, answer.state)
        const shown = answer.slots.map(slot => ({ ...slot, state: stateAt(door, slot.state) }))
        const slots = shown.filter(slot => state === undefined || slot.state === state)
        terminal.answer({ ...answer, state: found, slots })
        terminal.say(
          `${answer.run} is ${found}: ${answer.counts['done']} of ${answer.counts['slots']} done\n  ${answer.folder}`,
        )
        const course = describeCourse(answer)
        if (course !== '') terminal.say(`  ${course}`)
        for (const line of describeWait(answer)) terminal.say(`  ${line}`)
        if (slots.length === 0 && state !== undefined) terminal.say(`No slot of it is ${state}.`)
        const isSwept = slots.some(slot => slot.sliders ?? slot.parameters)
        const swept = ({ sliders, parameters }: (typeof slots)[number]) =>
          isSwept ? [describeValues({ ...sliders, ...parameters })] : []
        if (slots.length > 0)
          terminal.say(
            table(
              slots.map(slot => [
                slot.slot,
                ...swept(slot),
                slot.state,
                slot.file ?? slot.reason ?? describeTries(slot),
              ]),
            ),
          )
        if (answer.total > slots.length) terminal.say(`… ${answer.total - slots.length} more: --limit ${answer.total}`)
      }),
    events: (id: string, { limit }: ListFlags) =>
      through(async door => {
        const answer = await door.call('runs.events', { id, limit })
        terminal.answer(answer)
        for (const event of answer.events) terminal.say(JSON.stringify(event))
      }),
    act: (name: ActName, id: string, { persona, slot }: PartFlags) =>
      through(async door => {
        const answer = await actToTheEnd(door, name, { id, subject: persona, slot })
        const { run, counts } = answer
        const state = stateAt(door, answer.state)
        terminal.answer({ ...answer, state })
        const running = counts['running'] ?? 0
        const endsFirst = state === 'cancelling' || (state === 'paused' && running > 0)
        const rest = endsFirst ? `: ${counted(running, 'job')} on servers end first` : ''
        if (answer.part !== undefined)
          terminal.say(`${counted(answer.slots, 'picture')} of ${answer.part} ${doneBy[name]}`)
        terminal.say(`${run} is ${state}${rest}`)
        if (name === 'runs.resume' || name === 'runs.approve') {
          if (state === 'paused' || state === 'held') for (const line of describeWait(answer)) terminal.say(`  ${line}`)
          else if (!door.owner) terminal.say(goOnHint)
        }
      }),
    changePriority: (id: string, wish: Wish) =>
      through(async door => {
        const answer = await door.call('runs.change', { id, ...wish })
        terminal.answer(answer)
        terminal.problems(answer.warnings)
        const { priority, weight, labels } = answer
        terminal.say(
          `${answer.run} has ${describeChange({ priority, weight, ...(labels && { labels: [...labels] }) })}`,
        )
      }),
    audit: ({ run, limit }: AuditFlags) =>
      through(async door => {
        const answer = await door.call('audit', { run, limit })
        terminal.answer(answer)
        const { acts, total } = answer
        if (acts.length === 0) terminal.say('Nobody did anything yet.')
        else
          terminal.say(
            table([
              ['AT', 'BY', 'ACT', 'ON', 'DETAILS'],
              ...acts.map(each => [
                each.at.slice(0, 19),
                each.by,
                each.act,
                each.run ?? each.server ?? '',
                describeDetails(each.details),
              ]),
            ]),
          )
        if (total > acts.length) terminal.say(`… ${total - acts.length} earlier: --limit ${Math.min(total, auditMax)}`)
      }),
    remove: (id: string) =>
      through(async door => {
        const answer = await door.call('runs.remove', { id })
        terminal.answer(answer)
        terminal.say(`Removed ${answer.removed.join(', ')}`)
      }),
    prune: ({ days, state, dryRun }: PruneFlags) =>
      through(async door => {
        const answer = await door.call('runs.prune', { days, state, dryRun })
        terminal.answer(answer)
        const { removed } = answer
        terminal.say(
          [`${dryRun ? 'Would remove' : 'Removed'} ${counted(removed.length, 'run')}`, ...removed].join('\n  '),
        )
      }),
    status: () =>
      through(async door => {
        const { pid, startedAt, ...rest } = await door.call('status', {})
        const { owner } = door
        // Without an owner the answer is this command's own, which ends at once: nobody goes on with anything.
        const runs = owner ? rest.runs : interrupt(rest.runs)
        const slots = owner ? rest.slots : interrupt(rest.slots)
        terminal.answer({ ...rest, runs, slots, ...(owner && { pid, startedAt }), daemon: owner !== undefined })
        terminal.say(owner ? `Process ${pid} works on ${rest.home} since ${startedAt}` : `Nobody works on ${rest.home}`)
        terminal.say(`runs   ${list(runs)}\nslots  ${list(slots)}`)
        if (owner && rest.endsIn) terminal.say(`ends   in ${describeRange(rest.endsIn)}`)
        if (owner && rest.isConfigChanged) terminal.note(configChangedHint)
        const unfinished = (runs['waiting'] ?? 0) + (runs['interrupted'] ?? 0)
        if (!owner && unfinished > 0) terminal.say(goOnHint)
        for (const server of rest.servers)
          terminal.say(
            `server ${server.name} (${server.provider}): ${server.state}${server.mode === 'active' ? '' : `, ${server.mode}`}${server.reason === undefined ? '' : `, ${server.reason}`}`,
          )
      }),
    drops: (refused: boolean | undefined) =>
      through(async door => {
        const answer = await door.call('drops', { refused })
        terminal.answer(answer)
        if (answer.drops.length === 0) terminal.say('No drop was seen: "foundry daemon" watches manifests/.')
        else
          terminal.say(
            table(
              answer.drops.map(drop => [
                drop.state,
                shortHash(drop.sha256),
                drop.run ?? `${drop.code} (${drop.problems})`,
                drop.drop,
              ]),
            ),
          )
      }),
    verify: (id: string) =>
      through(async door => {
        const answer = await door.call('verify', { id })
        terminal.answer(answer)
        const { run, images, inputs, differences, others } = answer
        if (others.length > 0) terminal.note(`"${id}" is also the beginning of ${others.join(', ')}: this is ${run}`)
        for (const { what, expected, found, file, isEdited } of differences) {
          const mark = isEdited ? terminal.paint('yellow', '!') : terminal.paint('red', '✘')
          const name = file === undefined ? what : `${what} (${file})`
          terminal.say(`${mark} ${name}: recorded ${shortHash(expected)}, found ${shortHash(found)}`)
        }
        if (differences.length > 0 && differences.every(each => each.isEdited)) {
          const pictures = images === 0 ? '' : '; pictures are as recorded'
          terminal.say(`  source edited since (the run is of an older version)${pictures}`)
        }
        if (differences.length > 0) return exitCodes.someFailed
        if (images === 0 && !answer.isEmpty) {
          const { state } = answer
          terminal.say(
            `${terminal.paint('yellow', '!')} ${run}: nothing to verify: it is ${stateAt(door, state)} and has no picture`,
          )
          return exitCodes.someFailed
        }
        const what =
          images === 0
            ? 'it has no picture by design, and its'
            : `${counted(images, 'image')} with ${images === 1 ? 'its trace' : 'their traces'} and`
        terminal.say(
          `${terminal.paint('green', '✔')} ${run}: ${what} ${counted(inputs, 'input')} ${images + inputs === 1 ? 'is' : 'are'} as recorded`,
        )
        return undefined
      }),
    reproduce: async (
      image: string,
      { output, dryRun, asksFor }: { output?: string; dryRun?: boolean; asksFor?: ServerWish },
    ) =>
      withHome(config, home =>
        throughDoor(home, async door => {
          await checkOwner(door, home, asksFor, terminal)
          const answer = await door.call('reproduce', { image, output, dryRun })
          terminal.answer(answer)
          terminal.say(`graph  ${answer.submitted} ${answer.sameGraph ? '= recorded' : '≠ recorded'}`)
          if ('output' in answer)
            terminal.say(`pixels ${answer.samePixels ? 'the same' : 'differ'}\nimage  ${answer.output}`)
        }),
      ),
  }
}

/** A picture that carries its words needs no home: elsewhere one is lent for the moment. */
async function withHome(config: Config, work: (config: Config) => Promise<number>): Promise<number> {
  if (isHome(config.paths.home)) return work(config)
  if (config.isHomeNamed) throw failure('HOME_MISSING', { home: config.paths.home })
  const lent = await mkdtemp(join(tmpdir(), 'foundry-'))
  try {
    await mkdir(homePaths(lent).dot)
    return await work({ ...config, paths: homePaths(lent) })
  } finally {
    await rm(lent, { recursive: true, force: true })
  }
}

/** Nobody stays behind to hear the end of what this command, as the owner of the home, has cancelled: it ends here. */
async function actToTheEnd(
  door: Door,
  name: ActName,
  wanted: { id: string; subject: string | undefined; slot: string | undefined },
): Promise<ActAnswer> {
  const answer = await door.call(name, wanted)
  if (answer.state !== 'cancelling' || !door.own) return answer
  const { farm, desk } = door.own.foundry
  await farm.giveUp(job => job.run === answer.run)
  await desk.idle()
  const { state, counts } = await door.call('runs.show', { id: answer.run, limit: 0 })
  return { ...answer, state, counts }
}

const goOnHint = 'Go on with "foundry render" of the same drop, or with "foundry daemon".'
/** No answer of an audit is longer. */
const auditMax = 1000

/** What an act has done to a part of a run. */
const doneBy: Record<ActName, string> = {
  'runs.pause': 'paused',
  'runs.resume': 'resumed',
  'runs.approve': 'approved',
  'runs.cancel': 'cancelled',
  'runs.retry': 'to be tried again',
}

/** What a slot that still waits has gone through. */
function describeTries({ failures }: { failures?: readonly { server: string; message: string }[] }): string {
  const last = failures?.at(-1)
  return last ? `tried ${counted(failures?.length ?? 0, 'time')}, at last on ${last.server}: ${last.message}` : ''
}

/** An act in one line; lists and the like are for programs. */
function describeDetails(details: Record<string, unknown>): string {
  const shown = Object.entries(details).flatMap(([name, value]) => {
    if (value === true) return [name]
    if (name === 'labels' && Array.isArray(value)) return [`labels ${value.join('+') || 'none'}`]
    return ['string', 'number'].includes(typeof value) ? [`${name} ${String(value)}`] : []
  })
  return shown.join(', ')
}

/** What nobody works at does not run, whatever the journal said last. */
function stateAt({ owner }: Door, state: string): string {
  return owner === undefined && state === 'running' ? 'interrupted' : state
}

/** The state that the journal has for what is shown as another. */
function asJournaled(state: string | undefined): string | undefined {
  return state === 'interrupted' ? 'running' : state
}

function interrupt({ running, ...counts }: Record<string, number>): Record<string, number> {
  return { ...counts, interrupted: running ?? 0 }
}

/** The beginning of a hash; words that stand in its place are left whole. */
function shortHash(text: string): string {
  return isSha256(text) ? text.slice(0, 12) : text
}

function list(counts: Record<string, number>): string {
  const parts = Object.entries(counts).filter(([, count]) => count > 0)
  return parts.map(([state, count]) => `${count} ${state}`).join(', ') || 'none'
}
