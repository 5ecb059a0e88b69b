import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'undici'
import type { Config } from '../config/config.js'
import { isHome } from '../config/config.js'
import { openFoundry, type OpenFoundry, type OpenOptions } from '../daemon.js'
import { failure, FoundryError } from '../errors.js'
import { findOwner, type Owner } from '../files/own-home.js'
import { callOperation } from '../operations/operation.js'
import { operations } from '../operations/operations.js'
import { serveControl } from './serve-control.js'

type Operations = typeof operations
type AnswerOf<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]['run']>>

/** How a command reaches the foundry: through the process that owns the home, or by being the owner itself. */
export interface Door {
  /** The other process that owns the home. */
  readonly owner: Owner | undefined
  /** Present when this process is the owner; also from the moment when the other one has gone. */
  readonly own: OpenFoundry | undefined
  call<Name extends keyof Operations>(name: Name, input: object): Promise<AnswerOf<Name>>
  close(drainMs?: number): Promise<void>
}

const answerLimitMs = 600_000
const opensMax = 50
const openRetryMs = 100

/**
 * Opens a door to the home. When the owner goes away in between, this process becomes the owner. Works on no run but those that
 * are submitted through it. Throws HOME_MISSING unless the home may be made.
 */
export async function openDoor(
  config: Config,
  { mayMakeHome = false, ...options }: OpenOptions & { mayMakeHome?: boolean } = {},
): Promise<Door> {
  const { home } = config.paths
  if (!mayMakeHome && !isHome(home)) throw failure('HOME_MISSING', { home })
  let way = await open(config, options)
  return {
    get owner() {
      return way.owner
    },
    get own() {
      return way.own
    },
    async call(name, input) {
      for (let tries = 1; ; tries++) {
        try {
          // The table gives each name its own answer, which the other side knows by its name alone.
          return (await way.call(operations[name].name, input)) as never
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

interface Way {
  owner?: Owner
  own?: OpenFoundry
  call(operation: string, input: object): Promise<unknown>
  close(drainMs: number): Promise<void>
}

/** Two commands may start at once: whoever loses asks the winner. */
async function open(config: Config, options: OpenOptions): Promise<Way> {
  for (let tries = 1; ; tries++) {
    const owner = await ownerOf(config.paths.home)
    if (owner) return throughOwner(owner)
    try {
      return asOwner(await openFoundry(config, options))
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

function asOwner(own: OpenFoundry): Way {
  const { foundry } = own
  foundry.desk.focusOn(new Set())
  serveControl(own)
  const caller = { by: 'command line', reach: 'machine' } as const
  const byName = new Map(Object.values(operations).map(operation => [operation.name as string, operation]))
  return {
    own,
    // The table gives each name its own answer; the map of them is what the compiler cannot follow.
    call: async (name, input) => callOperation<object, unknown>(byName.get(name) as never, foundry, input, caller),
    close: drainMs => own.close(drainMs),
  }
}

function throughOwner(owner: Owner): Way {
  const client = new Client('http://localhost', {
    socketPath: owner.socketPath,
    bodyTimeout: answerLimitMs,
    headersTimeout: answerLimitMs,
  })
  return {
    owner,
    async call(operation, input) {
      const response = await client.request({
        method: 'POST',
        path: `/operations/${operation}`,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${owner.token}` },
        body: JSON.stringify(input),
      })
      const body = (await response.body.json()) as { error?: { code: string; message: string; details?: object } }
      if (body.error) throw new FoundryError(body.error.code, body.error.message, { ...body.error.details })
      return body
    },
    close: () => client.destroy(),
  }
}
