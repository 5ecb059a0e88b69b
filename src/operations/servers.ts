import { isDeepStrictEqual } from 'node:util'
import { failure, type Problem, reasonOf } from '../errors.js'
import { findSecrets, proposeAddress, sameAddresses } from '../config/server-entry.js'
import type { ServerStatus } from '../farm/worker-host.js'
import { takeTurns } from '../files/take-turns.js'
import { type ServerEntry, type ServerMode, serverSchema } from '../schema/config.js'
import { nameText } from '../schema/text-forms.js'
import type { Foundry } from './foundry.js'
import { type Caller, defineOperation } from './operation.js'

/** A server after an act. */
export interface ServerAnswer extends ServerStatus {
  /** False where it was so already. */
  isNew: boolean
  /** False where this foundry was started with servers of its own: the next start does not know of it. */
  isKept: boolean
}

const waitSeconds = {
  type: 'number',
  minimum: 0,
  maximum: 500,
  description: 'How long to wait for what it has',
} as const
const drainSecondsDefault = 60
/** A server that was just added is asked for so long whether it is there. */
const lookMsMax = 5000

const oneServer = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: nameText },
} as const
const oneServerWait = { ...oneServer, properties: { name: nameText, waitSeconds } } as const

/** Acts that add and remove follow one another, in each home. */
const turn = takeTurns<string>()

export const listServers = defineOperation({
  name: 'servers.list',
  summary: 'The servers, and what each is doing',
  route: { method: 'GET', path: '/servers' },
  input: { type: 'object', additionalProperties: false, properties: {} },
  async run({ farm }) {
    return { servers: farm.status() }
  },
})

// Files of this machine and options of a provider are the business of who writes the configuration.
const { ca: _ca, options: _options, ...addable } = serverSchema.properties

export const addServer = defineOperation({
  name: 'servers.add',
  summary: 'One server more, from now on and after each start',
  route: { method: 'POST', path: '/servers' },
  input: { type: 'object', additionalProperties: false, required: ['name', 'url'], properties: addable },
  async run(foundry, entry: ServerEntry, caller): Promise<ServerAnswer> {
    checkEntry(entry, caller)
    const { ledger, farm } = foundry
    const { name: server } = entry
    const isNew = await turn(foundry.config.paths.home, async () => {
      const known = ledger.state.servers.get(server)?.entry
      const isKnown = isDeepStrictEqual(known, entry)
      if (isKnown && farm.has(server)) return false
      if ((known && !isKnown) || (farm.has(server) && !isStandIn(foundry, server)))
        throw failure('SERVER_EXISTS', { server })
      const other = isKnown ? undefined : findSameAddress(foundry, entry)
      if (other !== undefined) throw failure('SERVER_ADDRESS_TAKEN', { server: other })
      const opened = await foundry.openServer(entry)
      try {
        if (!isKnown) await ledger.append({ kind: 'server-added', at: Date.now(), server, entry, by: caller.by })
      } catch (error) {
        await opened.connection.close()
        throw error
      }
      if (farm.has(server)) await farm.remove(server, foundry.config.drainMs)
      farm.add(opened)
      leaveStandIns(foundry)
      return true
    })
    return answerOf(foundry, await farm.lookAt(server, lookMsMax), isNew)
  },
})

export const removeServer = defineOperation({
  name: 'servers.remove',
  summary: 'Takes a server away that was added: what it has not ended in time is rendered by others',
  route: { method: 'DELETE', path: '/servers/:name' },
  input: oneServerWait,
  async run(foundry, { name: server, waitSeconds }, { by }) {
    const { ledger, farm, config } = foundry
    await turn(config.paths.home, async () => {
      if (!ledger.state.servers.get(server)?.entry) throw notRemovable(foundry, server)
      await ledger.append({ kind: 'server-removed', at: Date.now(), server, by })
    })
    if (farm.has(server)) await farm.remove(server, waitSeconds === undefined ? config.drainMs : waitSeconds * 1000)
    await turn(config.paths.home, () => standIn(foundry))
    return { removed: server }
  },
})

export const drainServer = defineOperation({
  name: 'servers.drain',
  summary: 'Sends a server no more jobs and answers once it has ended those that it has, or when the wait is over',
  route: { method: 'POST', path: '/servers/:name/drain' },
  input: oneServerWait,
  async run(foundry, { name, waitSeconds = drainSecondsDefault }, { by }): Promise<ServerAnswer & { left: number }> {
    const answer = await setMode(foundry, name, { mode: 'draining', by })
    const left = await foundry.farm.drained(name, waitSeconds * 1000)
    return { ...answer, ...statusOf(foundry, name), left }
  },
})

export const pauseServer = defineOperation({
  name: 'servers.pause',
  summary: 'Sends a server no more jobs until it is resumed; what it has goes on',
  route: { method: 'POST', path: '/servers/:name/pause' },
  input: oneServer,
  run: (foundry, { name }, { by }) => setMode(foundry, name, { mode: 'paused', by }),
})

export const resumeServer = defineOperation({
  name: 'servers.resume',
  summary: 'Lets a server work again that was paused or drained',
  route: { method: 'POST', path: '/servers/:name/resume' },
  input: oneServer,
  run: (foundry, { name }, { by }) => setMode(foundry, name, { mode: 'active', by }),
})

export const forgiveServer = defineOperation({
  name: 'servers.forgive',
  summary: 'Forgets what a server has done wrong and what it lacked: it is tried again at once',
  route: { method: 'POST', path: '/servers/:name/forgive' },
  input: oneServer,
  async run(foundry, { name: server }, { by }): Promise<ServerAnswer> {
    statusOf(foundry, server)
    await foundry.ledger.append({ kind: 'server-forgiven', at: Date.now(), server, by })
    foundry.farm.forgive(server)
    return answerOf(foundry, statusOf(foundry, server), true)
  },
})

async function setMode(
  foundry: Foundry,
  server: string,
  { mode, by }: { mode: ServerMode; by: string },
): Promise<ServerAnswer> {
  const isNew = statusOf(foundry, server).mode !== mode
  if (isNew) {
    await foundry.ledger.append({ kind: 'server-mode', at: Date.now(), server, mode, by })
    foundry.farm.setMode(server, mode)
  }
  return answerOf(foundry, statusOf(foundry, server), isNew)
}

/** Throws SERVER_UNKNOWN. */
function statusOf({ farm }: Foundry, server: string): ServerStatus {
  const all = farm.status()
  const found = all.find(each => each.name === server)
  if (!found) throw failure('SERVER_UNKNOWN', { server, known: all.map(each => each.name) })
  return found
}

function answerOf({ config }: Foundry, status: ServerStatus, isNew: boolean): ServerAnswer {
  return { ...status, isNew, isKept: !config.areServersAsked }
}

/** What the configuration checks, and that whoever can reach the API neither learns nor sends any secret of this machine. */
function checkEntry(entry: ServerEntry, { reach }: Caller): void {
  const { name: server, url = '' } = entry
  const problems: Problem[] = findSecrets(entry)
  const tell = (code: string, message: string, path: string) => ({ severity: 'error' as const, code, message, path })
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    const allowed =
      url === 'draft' ? 'a URL; drafts are asked for in foundry.yaml, or with --draft' : proposeAddress(url)
    problems.push({ ...tell('CONFIG_URL_INVALID', 'Not the address of a server', 'url'), found: url, allowed })
  }
  if (reach !== 'machine') {
    const secret = 'Variables of the environment are not named over the API'
    const next = { allowed: 'the command line ("foundry servers add"), or foundry.yaml' }
    if (entry.token !== undefined) problems.push({ ...tell('SERVER_SECRET_REMOTE', secret, 'token'), ...next })
    if (entry.headers) problems.push({ ...tell('SERVER_SECRET_REMOTE', secret, 'headers'), ...next })
  }
  if (problems.length > 0) throw failure('SERVER_INVALID', { server, problems })
}

function findSameAddress(foundry: Foundry, entry: ServerEntry): string | undefined {
  const others = foundry.farm.status().filter(({ name, url }) => url !== undefined && !isStandIn(foundry, name))
  return others.find(other => other.name !== entry.name && sameAddresses([other, entry]).length > 0)?.name
}

/** The usual address, which is tried while no server is named. */
function isStandIn({ config, ledger }: Foundry, server: string): boolean {
  return (
    !config.hasOwnServers &&
    config.servers.some(each => each.name === server) &&
    ledger.state.servers.get(server)?.entry === undefined
  )
}

/** Nothing is waited for: what it has ends, or goes to the others. */
function leaveStandIns(foundry: Foundry): void {
  const { config, farm, log } = foundry
  for (const { name } of config.servers) {
    if (!farm.has(name) || !isStandIn(foundry, name)) continue
    farm
      .remove(name, config.drainMs)
      .catch((error: unknown) => log.warn({ server: name, reason: reasonOf(error) }, 'server not removed'))
  }
}

/** Once no server is named any more. */
async function standIn(foundry: Foundry): Promise<void> {
  const { config, farm, ledger } = foundry
  if (config.hasOwnServers || [...ledger.state.servers.values()].some(({ entry }) => entry)) return
  for (const entry of config.servers) if (!farm.has(entry.name)) farm.add(await foundry.openServer(entry))
}

function notRemovable(foundry: Foundry, server: string) {
  statusOf(foundry, server)
  const { hasOwnServers, areServersAsked } = foundry.config
  const next = `or pause it with "foundry servers pause ${server}"`
  if (!hasOwnServers)
    return failure('USAGE_INVALID', {
      problem: `${server} is the usual address, which is tried while no server is named`,
      next: `add another one, ${next}`,
    })
  const problem = areServersAsked
    ? `${server} was named where this foundry was started`
    : `${server} stands in foundry.yaml`
  return failure('USAGE_INVALID', { problem, next: `take it out there, ${next}` })
}
