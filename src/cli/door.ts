import { Client } from 'undici'
import type { Config } from '../config/config.js'
import { openFoundry, type OpenFoundry, type OpenOptions } from '../daemon.js'
import { FoundryError } from '../errors.js'
import { findOwner, type Owner } from '../files/own-home.js'
import { callOperation } from '../operations/operation.js'
import { type operations } from '../operations/operations.js'

type Operations = typeof operations
type AnswerOf<Name extends keyof Operations> = Awaited<ReturnType<Operations[Name]['run']>>

/** How a command reaches the foundry: through the process that owns the home, or by being the owner itself. */
export interface Door {
  owner: Owner | undefined
  /** Present when this process is the owner. */
  own: OpenFoundry | undefined
  call<Name extends keyof Operations>(name: Name, input: object): Promise<AnswerOf<Name>>
  close(drainMs?: number): Promise<void>
}

const answerLimitMs = 600_000

/** Opens a door to the home. When the owner goes away in between, this process becomes the owner. */
export async function openDoor(config: Config, options: OpenOptions = {}): Promise<Door> {
  const owner = await findOwner(config.paths.home)
  return owner ? remoteDoor(owner) : localDoor(await openFoundry(config, options))
}

async function localDoor(own: OpenFoundry): Promise<Door> {
  const { operations } = await import('../operations/operations.js')
  return {
    owner: undefined,
    own,
    // The table gives each name its own answer; the map of them is what the compiler cannot follow.
    call: async (name, input) =>
      callOperation<object, never>(operations[name] as never, own.foundry, input, { by: 'command line', reach: 'machine' }),
    close: (drainMs = 0) => own.close(drainMs),
  }
}

async function remoteDoor(owner: Owner): Promise<Door> {
  const { operations } = await import('../operations/operations.js')
  const client = new Client('http://localhost', {
    socketPath: owner.socketPath,
    bodyTimeout: answerLimitMs,
    headersTimeout: answerLimitMs,
  })
  return {
    owner,
    own: undefined,
    async call(name, input) {
      const response = await client.request({
        method: 'POST',
        path: `/operations/${operations[name].name}`,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${owner.token}` },
        body: JSON.stringify(input),
      })
      const body = (await response.body.json()) as { error?: { code: string; message: string; details?: object } }
      if (body.error) throw new FoundryError(body.error.code, body.error.message, { ...body.error.details })
      return body as never
    },
    close: () => client.close(),
  }
}
