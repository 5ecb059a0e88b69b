import { watch, type FSWatcher } from 'chokidar'
import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import type { Logger } from 'pino'
import { FoundryError, type Problem, reasonOf } from '../errors.js'
import { sha256 } from '../files/hash.js'
import { type FileStamp, readBounded, sameStamp, stampAt } from '../files/read-bounded.js'
import type { Ledger } from '../record/ledger.js'
import { answerDrop, answerEnding, withdrawAnswer } from './answer-drop.js'
import { findDrops, type IntakeRoot, isDropPath } from './find-drops.js'
import { proveWhole } from './prove-whole.js'

export interface IntakeOptions {
  roots: readonly IntakeRoot[]
  ledger: Ledger
  log: Logger
  rescanMs: number
  quietMs: number
  problemsFolder: string
  /** Accepts a proven drop as a run and answers its id. Throws DROP_INVALID with the problems. */
  accept(path: string, root: string): Promise<string>
}

interface Seen {
  stamp: FileStamp
  /** When this stamp was first seen, on our own clock: clocks of file servers differ. */
  since: number
  isSettled: boolean
}

/** A drop larger than this is refused unread. */
const dropSizeBytesMax = 8 * 1024 * 1024
const acceptsAtOnceMax = 4
/** How often drops that are not proven yet are looked at again. */
const recheckMs = 500

/**
 * Watches folders and accepts what is proven whole. Watching is a hint: the rescan at start, after every watcher error and every
 * `rescanMs` is the truth. A file is looked at again whenever its stamp changes; dropped files are never moved or changed.
 */
export class Intake {
  private readonly seen = new Map<string, Seen>()
  private readonly waiting = new Map<string, IntakeRoot>()
  private readonly busy = new Set<Promise<void>>()
  private readonly inHand = new Set<string>()
  private readonly timers: NodeJS.Timeout[] = []
  private watchers: FSWatcher[] = []
  private rescanning: Promise<void> | undefined
  private isStopped = false

  constructor(private readonly options: IntakeOptions) {}

  async start(): Promise<void> {
    this.watchers = this.options.roots.map(root => this.watchRoot(root))
    this.timers.push(setInterval(() => void this.rescan(), this.options.rescanMs))
    this.timers.push(setInterval(() => this.recheck(), Math.min(recheckMs, this.options.quietMs)))
    await this.rescan()
  }

  /** Looks at every file under every root. Resolves when all of them are queued; one rescan at a time. */
  rescan(): Promise<void> {
    this.rescanning ??= this.scanAll().finally(() => {
      this.rescanning = undefined
    })
    return this.rescanning
  }

  /** Resolves when nothing that was seen waits to be looked at. */
  async idle(): Promise<void> {
    while (this.busy.size > 0 || this.waiting.size > 0) {
      this.work()
      await Promise.race(this.busy)
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true
    for (const timer of this.timers) clearInterval(timer)
    await Promise.all(this.watchers.map(watcher => watcher.close()))
    await this.rescanning
    await Promise.allSettled(this.busy)
  }

  private watchRoot(root: IntakeRoot): FSWatcher {
    const watcher = watch(root.folder, {
      ignoreInitial: true,
      followSymlinks: false,
      depth: 9,
      ignored: /(^|[\\/])(\.|comfyui_images|speakers)/,
    })
    const hint = (path: string) => {
      if (isDropPath(root, relative(root.folder, path).split(/[\\/]/))) this.queue(path, root)
      else if (path.endsWith('.ready')) this.queue(path.slice(0, -'.ready'.length), root)
    }
    watcher.on('add', hint).on('change', hint)
    watcher.on('unlink', path => void this.forget(path))
    watcher.on('error', error => {
      this.options.log.warn({ reason: reasonOf(error) }, 'watcher failed, scanning')
      void this.rescan()
    })
    return watcher
  }

  private async scanAll(): Promise<void> {
    for (const root of this.options.roots) {
      const { drops, answers } = await findDrops(root)
      const present = new Set(drops)
      for (const path of drops) if (!this.isStopped) this.queue(path, root)
      for (const answer of answers) {
        const drop = answer.slice(0, -answerEnding.length)
        if (!present.has(drop)) await withdrawAnswer(drop, this.options.problemsFolder)
      }
    }
  }

  private recheck(): void {
    for (const [path, { isSettled }] of this.seen) {
      const root = this.options.roots.find(each => path.startsWith(each.folder))
      if (!isSettled && root) this.queue(path, root)
    }
  }

  private queue(path: string, root: IntakeRoot): void {
    this.waiting.set(path, root)
    this.work()
  }

  private work(): void {
    for (const [path, root] of this.waiting) {
      if (this.isStopped || this.busy.size >= acceptsAtOnceMax) return
      if (this.inHand.has(path)) continue
      this.waiting.delete(path)
      this.inHand.add(path)
      const looking = this.look(path, root)
        .catch(error => this.options.log.error({ reason: reasonOf(error) }, 'drop not looked at'))
        .finally(() => {
          this.inHand.delete(path)
          this.busy.delete(looking)
          this.work()
        })
      this.busy.add(looking)
    }
  }

  private async look(path: string, root: IntakeRoot): Promise<void> {
    const stamp = await stampAt(path)
    if (!stamp) return this.forget(path)
    const before = this.seen.get(path)
    if (before && sameStamp(before.stamp, stamp)) {
      if (before.isSettled) return
    } else {
      this.seen.set(path, { stamp, since: performance.now(), isSettled: false })
    }
    const seen = this.seen.get(path)
    if (!seen) return
    let hash = ''
    try {
      const { bytes } = await readBounded(path, { sizeBytesMax: dropSizeBytesMax })
      hash = sha256(bytes)
      const quietForMs = performance.now() - seen.since
      const facts = { quietForMs, quietMs: this.options.quietMs, hasReady: existsSync(`${path}.ready`) }
      if (proveWhole(path, bytes, facts) === 'not-yet') return
      await this.accept(path, root, hash, seen)
    } catch (error) {
      if (!(error instanceof FoundryError)) throw error
      if (error.code === 'FILE_CHANGED_WHILE_READ') return
      if (error.code !== 'DROP_INVALID' && !error.code.startsWith('FILE_')) throw error
      await this.refuse(path, root, hash, error)
      seen.isSettled = true
    }
  }

  private async accept(path: string, root: IntakeRoot, hash: string, seen: Seen): Promise<void> {
    const { ledger, log, problemsFolder } = this.options
    const known = ledger.state.drops.get(path)
    const run = await this.options.accept(path, root.folder)
    seen.isSettled = true
    await withdrawAnswer(path, problemsFolder)
    if (known?.run === run && known.sha256 === hash) return
    await ledger.append({ kind: 'drop-accepted', at: Date.now(), drop: path, root: root.folder, sha256: hash, run })
    log.info({ run }, 'drop accepted')
  }

  private async refuse(path: string, root: IntakeRoot, hash: string, error: FoundryError): Promise<void> {
    const { ledger, log, problemsFolder } = this.options
    const listed = error.details['problems']
    // DROP_INVALID carries its problems; a file that cannot be read is one problem of its own.
    const problems: Problem[] = Array.isArray(listed)
      ? (listed as Problem[])
      : [{ severity: 'error', code: error.code, message: error.message }]
    await answerDrop(path, problems, problemsFolder)
    const code = problems.find(problem => problem.severity === 'error')?.code ?? error.code
    const known = ledger.state.drops.get(path)
    if (known && known.run === undefined && known.sha256 === hash && known.code === code) return
    const event = {
      kind: 'drop-refused' as const,
      at: Date.now(),
      drop: path,
      root: root.folder,
      sha256: hash,
      problems: problems.length,
      code,
    }
    await ledger.append(event)
    log.warn({ problems: problems.length, code }, 'drop refused')
  }

  private async forget(path: string): Promise<void> {
    if (this.seen.delete(path)) await withdrawAnswer(path, this.options.problemsFolder)
  }
}
