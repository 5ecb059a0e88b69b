import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Test } from 'tap'

/** The program, where one is installed. */
export const redisProgram = ['redis-server', 'valkey-server'].find(isInstalled)
/** What `t.test` is told where none is. */
export const needsRedis = { skip: redisProgram === undefined && 'no redis-server is installed' }

const startMsMax = 10_000

/** A Redis of its own on a free port of loopback, in a folder of its own, with an append-only file and without eviction. */
export class RedisServer {
  private child: ChildProcess | undefined

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly options: readonly string[],
  ) {}

  /** Ends with the test. `options` come last, so they replace. */
  static async start(t: Pick<Test, 'teardown'>, options: readonly string[] = []): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'foundry-redis-'))
    const server = new RedisServer(await freePort(), folder, options)
    t.teardown(async () => {
      await server.kill()
      await rm(folder, { recursive: true })
    })
    await server.start()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it, again after `kill`: with what its append-only file holds. Resolves when it answers. */
  async start(): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '']
    const safe = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']
    this.child = spawn(redisProgram ?? '', [...own, ...safe, ...this.options], { stdio: 'ignore' })
    const until = Date.now() + startMsMax
    while (!(await isThere(this.port))) {
      if (Date.now() > until) throw new Error('redis-server did not start')
      await sleep(20)
    }
  }

  async kill(): Promise<void> {
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Neither answers nor hangs up. */
  freeze(): void {
    this.child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.child?.kill('SIGCONT')
  }

  /** Asks it directly. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const client = new Redis(this.port, '127.0.0.1')
    try {
      return await client.call(name, ...args)
    } finally {
      client.disconnect()
    }
  }
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * A port of loopback that nobody listens on, and that no system gives away by itself: one that is to be listened on again after a
 * kill must not have gone to a connection meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + randomInt(portCount)
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    } catch {
      // Somebody listens there.
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
const portMin = 20_000
const portCount = 10_000

/** Whether it answers, if only that a password is missing. */
async function isThere(port: number): Promise<boolean> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.ping()
    return true
  } catch (error) {
    return error instanceof Error && error.message.includes('NOAUTH')
  } finally {
    client.disconnect()
  }
}
