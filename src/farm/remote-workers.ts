import { failure } from '../errors.js'
import type { Probe } from '../plugins/contract.js'
import type { Alive } from '../schema/work.js'
import type { ServerStatus } from './worker-host.js'

/** A worker that says nothing for so long is gone, and so is what it had. */
export const silentMsMax = 12_000

interface RemoteServer {
  status: ServerStatus
  /** What it said of itself, once it was there. */
  probe: Probe | undefined
}

interface KnownWorker {
  epoch: string
  /** On the clock that never jumps. */
  heardAt: number
  servers: RemoteServer[]
}

/** The workers on other machines, as they last told of themselves. */
export class RemoteWorkers {
  private readonly known = new Map<string, KnownWorker>()

  /** Throws WORKER_EXISTS while another process has the name and lives. */
  hello(said: Alive): void {
    const { worker, epoch } = said
    const other = this.known.get(worker)
    if (other && other.epoch !== epoch) throw failure('WORKER_EXISTS', { worker })
    this.known.set(worker, { epoch, heardAt: 0, servers: [] })
    this.alive(said)
  }

  /** Takes a sign of life. False where the worker is not known. */
  alive({ worker, epoch, servers }: Alive): boolean {
    const found = this.known.get(worker)
    if (found?.epoch !== epoch) return false
    const before = new Map(found.servers.map(each => [each.status.name, each.probe]))
    found.heardAt = performance.now()
    found.servers = servers.map(({ probe, ...status }) => {
      const name = fullName(worker, status.name)
      return { status: { ...status, name, speeds: {} }, probe: probe ?? before.get(name) }
    })
    return true
  }

  isKnown(worker: string, epoch?: string): boolean {
    const found = this.known.get(worker)
    return found !== undefined && (epoch === undefined || found.epoch === epoch)
  }

  forget(worker: string): void {
    this.known.delete(worker)
  }

  /** Those that have said nothing for too long. */
  silent(): string[] {
    const before = performance.now() - silentMsMax
    return [...this.known].filter(([, { heardAt }]) => heardAt < before).map(([name]) => name)
  }

  /** Servers that take jobs now. */
  ready(renderer?: string): ServerStatus[] {
    return this.statuses().filter(
      each =>
        each.state === 'ready' && each.mode === 'active' && (renderer === undefined || each.renderer === renderer),
    )
  }

  statuses(): ServerStatus[] {
    return this.servers().map(({ status }) => status)
  }

  probes(): Probe[] {
    return this.servers().flatMap(({ status, probe }) => (status.state === 'ready' && probe ? [probe] : []))
  }

  private servers(): RemoteServer[] {
    return [...this.known.values()].flatMap(({ servers }) => servers)
  }
}

/** What a server of a worker is called at the owner. */
export function fullName(worker: string, server: string): string {
  return `${worker}/${server}`
}

/** The worker of a server; undefined for one of the owner. */
export function workerOf(server: string): string | undefined {
  const at = server.indexOf('/')
  return at > 0 ? server.slice(0, at) : undefined
}
