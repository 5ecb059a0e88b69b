import { createServer, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomNumbers } from './processes.js'

export interface WireOptions {
  /** One way. */
  delayMs?: number
  /** Of all connections together, in each direction. */
  bytesPerSecond?: number
  /** Share of pieces that come later by `retryMs`, as when a packet was lost and sent again. */
  lossShare?: number
  frames?: FrameFaults
}

/** What happens to WebSocket frames on their way from the server, each share 0…1. */
export interface FrameFaults {
  seed: number
  dropShare: number
  repeatShare: number
  /** It changes places with the next one. */
  swapShare: number
}

export interface Wire {
  url: string
  /** Bytes that came from the server so far. */
  carriedBytes(): number
  faults(): Record<'dropped' | 'repeated' | 'swapped', number>
  /** Nothing passes, in either direction, and connections stay open. */
  cut(): void
  heal(): void
  end(): void
}

const retryMs = 200

/** A connection between foundry and server that is slow, garbles events, or can be cut without either noticing. */
export async function layWire(url: string, options: WireOptions = {}): Promise<Wire> {
  const { port } = new URL(url)
  const sockets = new Set<Socket>()
  const faults = { dropped: 0, repeated: 0, swapped: 0 }
  const random = randomNumbers(options.frames?.seed ?? 1)
  const there = new Link(options)
  const back = new Link(options)
  let isCut = false
  const join = (from: Socket, to: Socket, link: Link, change: (bytes: Buffer) => Buffer[]) => {
    let last = Promise.resolve()
    const inTurn = (act: () => void, atMs = 0) => {
      last = last.then(() => (atMs > performance.now() ? sleep(atMs - performance.now()) : undefined)).then(act)
    }
    sockets.add(from)
    from.on('data', (bytes: Buffer) => {
      if (isCut) return
      for (const piece of change(bytes))
        inTurn(() => void (isCut || to.destroyed || to.write(piece)), link.arrival(piece))
    })
    from.on('error', () => to.destroy())
    from.on('close', () => inTurn(() => void to.end()))
  }
  const server = createServer(near => {
    if (isCut) near.pause()
    const far = connect(Number(port), '127.0.0.1')
    join(near, far, there, bytes => [bytes])
    const frames = options.frames && new FrameGarbler(options.frames, random, faults)
    join(far, near, back, bytes => frames?.garble(bytes) ?? [bytes])
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    carriedBytes: () => back.carriedBytes,
    faults: () => faults,
    cut: () => {
      isCut = true
    },
    heal: () => {
      isCut = false
      // What was swallowed is missing in these streams: they are of no use.
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** One direction: what is sent at the same time shares its width. */
class Link {
  carriedBytes = 0
  private freeAt = 0
  private readonly random = randomNumbers(1)

  constructor(private readonly options: WireOptions) {}

  /** When these bytes are there, on the clock of `performance`; 0 at once. */
  arrival({ length }: Buffer): number {
    const { delayMs = 0, bytesPerSecond, lossShare = 0 } = this.options
    this.carriedBytes += length
    if (delayMs === 0 && bytesPerSecond === undefined) return 0
    const tookMs = bytesPerSecond === undefined ? 0 : (length / bytesPerSecond) * 1000
    this.freeAt = Math.max(this.freeAt, performance.now()) + tookMs
    return this.freeAt + delayMs + (this.random(1000) < lossShare * 1000 ? retryMs : 0)
  }
}

const shortLengthMax = 125
const controlFrom = 8

/** Takes the stream of a connection apart once it is a WebSocket. Frames that are parts of a message, or control it, pass as they are. */
class FrameGarbler {
  private state: 'head' | 'http' | 'frames' = 'head'
  private rest = Buffer.alloc(0)
  private held: Buffer | undefined

  constructor(
    private readonly options: FrameFaults,
    private readonly random: (limit: number) => number,
    private readonly counts: ReturnType<Wire['faults']>,
  ) {}

  garble(bytes: Buffer): Buffer[] {
    if (this.state === 'http') return [bytes]
    this.rest = Buffer.concat([this.rest, bytes])
    const out: Buffer[] = []
    if (this.state === 'head') {
      const end = this.rest.indexOf('\r\n\r\n')
      const isUpgrade = this.rest.subarray(0, 13).toString('latin1').startsWith('HTTP/1.1 101')
      if (!isUpgrade) this.state = 'http'
      else if (end === -1) return []
      else this.state = 'frames'
      out.push(this.take(isUpgrade ? end + 4 : this.rest.length))
    }
    while (this.state === 'frames') {
      const length = frameLength(this.rest)
      if (length === undefined || this.rest.length < length) break
      out.push(...this.judge(this.take(length)))
    }
    return out
  }

  private judge(frame: Buffer): Buffer[] {
    const { dropShare, repeatShare, swapShare } = this.options
    const isWhole =
      ((frame[0] ?? 0) & 0x80) !== 0 && ((frame[0] ?? 0) & 0x0f) < controlFrom && ((frame[0] ?? 0) & 0x0f) > 0
    const before = this.held
    this.held = undefined
    const chance = this.random(1000) / 1000
    const after = before ? [before] : []
    if (!isWhole) return [...after, frame]
    if (chance < dropShare) {
      this.counts.dropped++
      return after
    }
    if (chance < dropShare + repeatShare) {
      this.counts.repeated++
      return [frame, ...after, frame]
    }
    if (!before && chance < dropShare + repeatShare + swapShare) {
      this.counts.swapped++
      this.held = frame
      return []
    }
    return [frame, ...after]
  }

  private take(length: number): Buffer {
    const taken = this.rest.subarray(0, length)
    this.rest = this.rest.subarray(length)
    return taken
  }
}

/** Of a frame from a server, which is never masked; undefined while its head is not there. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined
  const short = (bytes[1] ?? 0) & 0x7f
  if (short <= shortLengthMax) return 2 + short
  if (short === 126) return bytes.length < 4 ? undefined : 4 + bytes.readUInt16BE(2)
  return bytes.length < 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(2))
}
