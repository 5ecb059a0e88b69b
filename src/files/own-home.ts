import { randomBytes } from 'node:crypto'
import { realpath, stat, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { failure, FoundryError } from '../errors.js'
import { makeFolder, removeFile, replaceFile } from './durable.js'
import { canConnect } from './can-connect.js'
import { sha256 } from './hash.js'
import { readBounded } from './read-bounded.js'

/** What an owner says about itself in `.foundry/owner.json`, readable by its user alone. */
export interface OwnerRecord {
  pid: number
  epoch: number
  /** ISO 8601. */
  startedAt: string
  /** What every request over the control socket carries: an abstract socket has no file permissions of its own. */
  token: string
  /** Where the API listens, once announced. */
  apiUrl?: string
  [extra: string]: unknown
}

export type Owner = OwnerRecord & { socketPath: string }

export interface Ownership {
  /** Higher than that of every owner before; part of every journal segment. */
  epoch: number
  token: string
  socketPath: string
  /** Listening already. Connections are closed until somebody listens to its event `connection`. */
  server: Server
  /** Adds to what `.foundry/owner.json` says, such as `apiUrl`. */
  announce(extra: Readonly<Record<string, unknown>>): Promise<void>
  /** Ends the ownership and every connection. May be called again. */
  release(): Promise<void>
}

const recordSizeBytesMax = 64 * 1024
/** How long a starting owner is given to introduce itself before it is called unknown. */
const introductionMsMax = 500
const introductionRetryMs = 25
const tokenSizeBytes = 32

/**
 * Makes this process the owner of a home. The lock is a listening socket, which the kernel closes when its process dies,
 * so a dead owner never has to be guessed from a pid. Throws HOME_OWNED within a second, HOME_MISSING.
 */
export async function ownHome(home: string): Promise<Ownership> {
  const socketPath = await socketPathOf(home)
  await makeFolder(join(home, '.foundry'))
  const server = await listen(socketPath)
  if (!server) throw failure('HOME_OWNED', { home, owner: await describeOwner(home) })
  try {
    return await introduce(home, socketPath, server)
  } catch (error) {
    await close(server, new Set())
    throw error
  }
}

/** The living owner of a home, asked by connecting to it; undefined when there is none. */
export async function findOwner(home: string): Promise<Owner | undefined> {
  const socketPath = await socketPathOf(home)
  if (!(await canConnect(socketPath))) return undefined
  const record = await awaitRecord(home)
  return record && { ...record, socketPath }
}

/** Throws HOME_OWNERSHIP_LOST when a later owner has started, which a paused process or a copied folder may have missed. */
export async function checkEpoch(home: string, epoch: number): Promise<void> {
  const found = await readEpoch(home)
  if (found > epoch) throw failure('HOME_OWNERSHIP_LOST', { home, epoch, found })
}

async function introduce(home: string, socketPath: string, server: Server): Promise<Ownership> {
  const connections = trackConnections(server)
  const epoch = (await readEpoch(home)) + 1
  await replaceFile(epochFile(home), `${epoch}\n`)
  const token = randomBytes(tokenSizeBytes).toString('base64url')
  const record: OwnerRecord = { pid: process.pid, epoch, startedAt: new Date().toISOString(), token }
  let announced: Readonly<Record<string, unknown>> = {}
  let published = publish(home, record)
  await published
  let released: Promise<void> | undefined
  return {
    epoch,
    token,
    socketPath,
    server,
    announce(extra) {
      announced = { ...announced, ...extra }
      const whole = { ...announced, ...record }
      if (!released) published = published.catch(() => undefined).then(() => publish(home, whole))
      return published
    },
    release: () =>
      (released ??= published.catch(() => undefined).then(() => release(home, epoch, { server, connections }))),
  }
}

function publish(home: string, record: OwnerRecord): Promise<void> {
  return replaceFile(ownerFile(home), `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 })
}

async function release(
  home: string,
  epoch: number,
  { server, connections }: { server: Server; connections: ReadonlySet<Socket> },
): Promise<void> {
  // First the record, while the home is still ours: afterwards it may be the next owner's.
  // One that cannot be removed harms nobody, since its epoch passes and nobody listens.
  const isOurs = (await readEpoch(home).catch(() => epoch)) === epoch
  if (isOurs) await removeFile(ownerFile(home)).catch(() => undefined)
  await close(server, connections)
}

function trackConnections(server: Server): ReadonlySet<Socket> {
  const connections = new Set<Socket>()
  server.on('connection', socket => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    if (server.listenerCount('connection') === 1) socket.destroy()
  })
  return connections
}

function close(server: Server, connections: ReadonlySet<Socket>): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    for (const socket of connections) socket.destroy()
  })
}

/** The lock: undefined when another process listens there. */
async function listen(socketPath: string): Promise<Server | undefined> {
  const server = await tryListen(socketPath)
  if (server || isSelfCleaning() || (await canConnect(socketPath))) return server
  // A socket file whose process died stays behind. Should two start at once here, the epoch stops the earlier.
  await unlink(socketPath)
  return tryListen(socketPath)
}

function tryListen(socketPath: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(socketPath, () => {
      server.removeAllListeners('error')
      resolve(server)
    })
  })
}

/** Named after the folder itself, so that every path to it means the same owner. */
async function socketPathOf(home: string): Promise<string> {
  const identity = await stat(await realpathOf(home), { bigint: true })
  if (!identity.isDirectory()) throw failure('HOME_MISSING', { home })
  const name = `persona-foundry-${sha256(`${identity.dev}:${identity.ino}`).slice(0, 24)}`
  if (process.platform === 'linux') return `\0${name}`
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

async function realpathOf(home: string): Promise<string> {
  try {
    return await realpath(home)
  } catch (error) {
    throw failure('HOME_MISSING', { home }, error)
  }
}

function isSelfCleaning(): boolean {
  return process.platform === 'linux' || process.platform === 'win32'
}

async function describeOwner(home: string): Promise<string> {
  const record = await awaitRecord(home)
  if (!record) return 'another process, which has not introduced itself'
  const { pid, startedAt, apiUrl } = record
  return `process ${pid} since ${startedAt}${apiUrl === undefined ? '' : ` (${apiUrl})`}`
}

async function awaitRecord(home: string): Promise<OwnerRecord | undefined> {
  const giveUpAt = performance.now() + introductionMsMax
  let record = await readRecord(home)
  while (!record && performance.now() < giveUpAt) {
    await wait(introductionRetryMs)
    record = await readRecord(home)
  }
  return record
}

/** The record of the current epoch; undefined when it is an earlier owner's, or unreadable to this user. */
async function readRecord(home: string): Promise<OwnerRecord | undefined> {
  try {
    const { bytes } = await readBounded(ownerFile(home), { sizeBytesMax: recordSizeBytesMax })
    // Written by `introduce` in one step; nobody else's business.
    const record = JSON.parse(bytes.toString('utf8')) as OwnerRecord
    return record.epoch === (await readEpoch(home)) ? record : undefined
  } catch {
    return undefined
  }
}

async function readEpoch(home: string): Promise<number> {
  try {
    const { bytes } = await readBounded(epochFile(home), { sizeBytesMax: recordSizeBytesMax })
    const text = bytes.toString('utf8').trim()
    if (/^\d{1,15}$/.test(text)) return Number(text)
  } catch (error) {
    if (isMissing(error)) return 0
    throw error
  }
  throw failure('FILE_UNREADABLE', { file: epochFile(home), reason: 'it holds no number' })
}

function isMissing(error: unknown): boolean {
  return error instanceof FoundryError && error.details['reason'] === 'ENOENT'
}

function epochFile(home: string): string {
  return join(home, '.foundry', 'epoch')
}

function ownerFile(home: string): string {
  return join(home, '.foundry', 'owner.json')
}
