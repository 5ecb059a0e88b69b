import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { isHome } from '../config/config.js'
import type { OpenFoundry, OpenOptions } from '../daemon.js'
import { failure, FoundryError } from '../errors.js'
import { findOwner, type Owner } from '../files/own-home.js'
import type { operations } from '../operations/operations.js'
import { exitCodes } from './exit-codes.js'

type Operations = typeof operations
type AnswerOf<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]['run']>>

/** How a command reaches the foundry: through the process that owns the home, or by being the owner itself. */
export interface Door {
  /** The other process that owns the home. */
  readonly owner: Owner | undefined
  /** Present when this process is the owner; also from the moment when the other one has gone. */
  readonly own: OpenFoundry | undefined
  /** Members that are undefined are no part of the question. */
  call<Name extends keyof Operations>(name: Name, input: object): Promise<AnswerOf<Name>>
  close(drainMs?: number): Promise<void>
}

interface DoorOptions {
  mayMakeHome?: boolean
  /** Log to stderr. */
  isVerbose?: boolean
  /** Steps of the jobs, where this process renders them. */
  progress?: NonNullable<OpenOptions['progress']>
}

const answerLimitMs = 600_000
const opensMax = 50
const openRetryMs = 100

/**
 * Opens a door to the home. When the owner goes away in between, this process becomes the owner. Works on no run but those that
 * are submitted through it. Throws HOME_MISSING unless the home may be made: one
 * that was named by `--home` is not.
 */
export async function openDoor(config: Config, { mayMakeHome = false, ...options }: DoorOptions = {}): Promise<Door> {
  const { home } = config.paths
  if ((!mayMakeHome || config.isHomeNamed) && !isHome(home)) throw failure('HOME_MISSING', { home })
  let way = await open(config, options)
  return {
    get owner() {
      return way.owner
    },
    get own() {
      return way.own
    },
    async call(name, members) {
      const input = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
      for (let tries = 1; ; tries++) {
        try {
          // The table gives each name its own answer, which the other side knows by its name alone.
          return (await way.call(name, input)) as never
        } catch (error) {
          if (way.own || error instanceof FoundryError || tries >= opensMax) throw error
          // The owner is ending, or has only begun: a moment later it is clear which.
          await way.close(0)
          await sleep(openRetryMs)
          way = await open(config, options)
        }
      }
    },
    close: (drainMs = 0) => way.close(drainMs),
  }
}

/** Opens a door for this work alone. Answers its exit code; work that names none is done. */
export async function throughDoor(
  config: Config,
  work: (door: Door) => Promise<number | undefined> | Promise<void>,
): Promise<number> {
  const door = await openDoor(config)
  try {
    return (await work(door)) ?? exitCodes.done
  } finally {
    await door.close()
  }
}

interface Way {
  owner?: Owner
  own?: OpenFoundry
  call(operation: string, input: object): Promise<unknown>
  close(drainMs: number): Promise<void>
}

/** Two commands may start at once: whoever loses asks the winner. */
async function open(config: Config, options: DoorOptions): Promise<Way> {
  for (let tries = 1; ; tries++) {
    const owner = await ownerOf(config.paths.home)
    if (owner) return throughOwner(owner)
    try {
      return await asOwner(config, options)
    } catch (error) {
      if (!(error instanceof FoundryError) || error.code !== 'HOME_OWNED' || tries >= opensMax) throw error
      await sleep(openRetryMs)
    }
  }
}

/** A home that is still to be made has no owner. */
async function ownerOf(home: string): Promise<Owner | undefined> {
  try {
    return await findOwner(home)
  } catch (error) {
    if (error instanceof FoundryError && error.code === 'HOME_MISSING') return undefined
    throw error
  }
}

/** The farm is most of what is loaded: asking another process does not need it. */
async function asOwner(config: Config, options: DoorOptions): Promise<Way> {
  const { openFoundry } = await import('../daemon.js')
  const { callByName } = await import('../operations/operations.js')
  const { serveControl } = await import('./serve-control.js')
  const { commandLog } = await import('./log.js')
  const { isVerbose = false, progress } = options
  const own = await openFoundry(config, { log: commandLog(config, isVerbose), ...(progress && { progress }) })
  const { foundry } = own
  foundry.desk.focusOn(new Set())
  serveControl(own)
  return {
    own,
    call: (name, input) => callByName(name, foundry, input, { by: 'command line', reach: 'machine' }),
    close: drainMs => own.close(drainMs),
  }
}

function throughOwner(owner: Owner): Way {
  return {
    owner,
    async call(operation, input) {
      const body = await post(owner, `/operations/${operation}`, input)
      if (body.error) throw new FoundryError(body.error.code, body.error.message, { ...body.error.details })
      return body
    },
    close: () => Promise.resolve(),
  }
}

interface Answer {
  error?: { code: string; message: string; details?: object }
}

function post({ socketPath, token }: Owner, path: string, input: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const question = request({ socketPath, path, method: 'POST', headers, timeout: answerLimitMs }, response => {
      json(response).then(body => resolve(body as Answer), reject)
    })
    question.on('timeout', () => question.destroy(failure('TIMED_OUT', { what: 'A question', limitMs: answerLimitMs })))
    question.on('error', reject)
    question.end(JSON.stringify(input))
  })
}
