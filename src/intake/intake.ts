import type { FSWatcher } from 'chokidar'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { FoundryError, type Problem, reasonOf } from '../errors.js'
import { type FileStamp, sameStamp, stampAt } from '../files/read-bounded.js'
import type { DropFile } from '../library/drop.js'
import type { Sources } from '../library/sources.js'
import type { Ledger } from '../record/ledger.js'
import { answerDrop, answerEnding, withdrawAnswer } from './answer-drop.js'
import { findDrops, type IntakeRoot, isDropPath } from './find-drops.js'
import { StillWatch } from './still-watch.js'
import { waitUntilWhole } from './wait-until-whole.js'
import { readyEnding, watchRoot } from './watch-root.js'
import { isInside, rootAround } from './watched-roots.js'

export interface IntakeOptions {
  /** As `watchedRoots` gives them: a drop belongs to the innermost root around it. */
  roots: readonly IntakeRoot[]
  ledger: Ledger
  log: Logger
  rescanMs: number
  quietMs: number
  problemsFolder: string
  /** Less free space on the disk of this folder pauses the intake. */
  disk: { folder: string; freeBytesMin: number }
  /** What accepted drops are rendered with: another renderer is asked for all of them again. */
  renderer(): string
  read(path: string, root: string): Promise<Sources>
  /** Accepts a proven drop as a run and answers its id. Throws DROP_INVALID with the problems. */
  accept(sources: Sources): Promise<string>
}

export interface IntakeStatus {
  /** Drops that were seen and are not looked at yet. */
  waiting: number
  /** Drops that are not known to be whole yet. */
  unproven: number
  /** Why nothing is accepted at the moment. */
  paused?: { reason: 'disk'; freeBytes: number; freeBytesMin: number }
  /** Folders that could not be read at the last scan. */
  unreadable: number
}

interface Seen {
  root: IntakeRoot
  stamp: FileStamp
  /** What the drop names, as it was when it was read. */
  named: readonly DropFile[]
  /** When the drop is looked at again even if it does not change, on the clock of `performance`. */
  dueAt: number
  /** Not all of its problems are in its own files: a scan looks at it again. */
  mayMend: boolean
}

const acceptsAtOnceMax = 8
/** More than this is a burst, and is taken by scans. */
const waitingMax = 200
/** How often drops that are not proven yet, and the disk, are looked at. */
const recheckMs = 250
/** Larger files that are not proven yet are looked at no more often than that, however often they change. */
const hintSizeBytesMax = 64 * 1024
/** What failed for a reason outside of the drop is tried again after this. */
const retryMs = 5000
/** A file written twice within one tick of the file system's clock may look as it did in between. */
const clockTickMs = 20

/**
 * Watches folders and accepts what is proven whole. Watching is a hint: the scan at start, after an error of a watcher and
 * every `rescanMs` is the truth. A drop is looked at again when it, or a file that it names, looks different; dropped files
 * are never moved or changed. A link counts as the file that it leads to, and one that leads nowhere as none; what is no
 * plain file is refused unread.
 */
export class Intake {
  private readonly seen = new Map<string, Seen>()
  private readonly stills = new StillWatch()
  private readonly waiting = new Map<string, IntakeRoot>()
  private readonly busy = new Set<Promise<void>>()
  private readonly inHand = new Set<string>()
  private readonly watchers = new Map<string, FSWatcher>()
  private readonly timers: NodeJS.Timeout[] = []
  private unreadable = new Set<string>()
  private paused: IntakeStatus['paused']
  private scanning: Promise<void> | undefined
  private isStopped = false

  constructor(private readonly options: IntakeOptions) {}

  async start(): Promise<void> {
    await this.checkDisk()
    const scan = () => {
      this.mend()
      void this.rescan()
    }
    this.timers.push(setInterval(scan, this.options.rescanMs))
    this.timers.push(setInterval(() => void this.recheck(), recheckMs))
    await this.rescan()
  }

  /** Looks at every file under every root; one scan at a time. Resolves when all that is new or different is queued. */
  rescan(): Promise<void> {
    this.scanning ??= this.scanAll()
      .catch(error => this.options.log.error({ reason: reasonOf(error) }, 'scan failed'))
      .finally(() => {
        this.scanning = undefined
      })
    return this.scanning
  }

  status(): IntakeStatus {
    let unproven = 0
    for (const { dueAt } of this.seen.values()) if (dueAt !== Infinity) unproven++
    return {
      waiting: this.waiting.size + this.inHand.size,
      unproven,
      ...(this.paused && { paused: this.paused }),
      unreadable: this.unreadable.size,
    }
  }

  /** What is in hand is finished; what waits is found again at the next start. */
  async stop(): Promise<void> {
    this.isStopped = true
    for (const timer of this.timers) clearInterval(timer)
    await Promise.all([...this.watchers.values()].map(watcher => watcher.close()))
    await this.scanning
    await Promise.allSettled(this.busy)
  }

  private async scanAll(): Promise<void> {
    const unreadable = new Set<string>()
    for (const root of this.options.roots) {
      if (this.isStopped) return
      const found = await findDrops(root, { others: this.options.roots })
      for (const folder of found.unreadable) unreadable.add(folder)
      await this.keepWatching(root, !found.unreadable.includes(root.folder))
      for (const path of found.drops) if (await this.looksDifferent(path)) this.queue(path, root)
      await this.forgetMissing(root, new Set(found.drops), found.unreadable)
      const present = new Set(found.drops)
      for (const answer of found.answers) {
        const drop = answer.slice(0, -answerEnding.length)
        if (!present.has(drop)) await withdrawAnswer(drop, this.options.problemsFolder)
      }
    }
    const isNew = [...unreadable].some(folder => !this.unreadable.has(folder))
    this.unreadable = unreadable
    if (isNew) this.options.log.warn({ folders: unreadable.size }, 'folders cannot be read')
  }

  /** A root that is not there is watched from the scan on that finds it. */
  private async keepWatching(root: IntakeRoot, isThere: boolean): Promise<void> {
    const watcher = this.watchers.get(root.folder)
    if (isThere && !watcher && !this.isStopped && this.waiting.size <= waitingMax) {
      const hints = {
        touched: (path: string) => this.queueHint(path),
        folderAdded: (from: string) => void this.scanFolder(from),
        failed: (error: unknown) => {
          this.options.log.warn({ reason: reasonOf(error) }, 'watcher failed, scanning')
          void this.rescan()
        },
      }
      this.watchers.set(root.folder, watchRoot(root, hints))
    } else if (!isThere && watcher) {
      this.watchers.delete(root.folder)
      await watcher.close()
    }
  }

  private async scanFolder(from: string): Promise<void> {
    const root = rootAround(this.options.roots, join(from, 'anything'))
    if (!root || this.isStopped) return
    const { drops } = await findDrops(root, { others: this.options.roots, from })
    for (const path of drops) if (await this.looksDifferent(path)) this.queue(path, root)
  }

  /**
   * While very much waits, hints only cost: every file that is written into a watched folder makes the watcher read it
   * whole. The scan that follows finds what came meanwhile.
   */
  private async watchLess(): Promise<void> {
    const watchers = [...this.watchers.values()]
    this.watchers.clear()
    for (const watcher of watchers) await watcher.close()
  }

  private async looksDifferent(path: string): Promise<boolean> {
    const seen = this.seen.get(path)
    if (!seen || !sameStamp(seen.stamp, await stampAt(path))) return true
    for (const file of seen.named) if (!isSame(file.stamp, await stampAt(file.path))) return true
    return false
  }

  /** Drops that went while nobody looked, or while no foundry ran. */
  private async forgetMissing(
    root: IntakeRoot,
    present: ReadonlySet<string>,
    unreadable: readonly string[],
  ): Promise<void> {
    const isGone = (path: string) => !present.has(path) && !unreadable.some(folder => isInside(folder, path))
    for (const [path, seen] of this.seen) if (seen.root === root && isGone(path)) await this.forget(path)
    const { drops } = this.options.ledger.state
    for (const { path, root: folder } of [...drops.values()])
      if (folder === root.folder && !this.seen.has(path) && isGone(path)) await this.forget(path)
  }

  private mend(): void {
    for (const [path, { root, mayMend }] of this.seen) if (mayMend) this.waiting.set(path, root)
    this.work()
  }

  private async recheck(): Promise<void> {
    await this.checkDisk()
    const now = performance.now()
    for (const [path, { root, dueAt }] of this.seen) if (dueAt <= now) this.queue(path, root)
    this.work()
  }

  private async checkDisk(): Promise<void> {
    const { folder, freeBytesMin } = this.options.disk
    const found = await statfs(folder).catch(() => undefined)
    // Where nobody can say, a failed write does.
    const freeBytes = found ? found.bavail * found.bsize : Infinity
    const isLow = freeBytes < freeBytesMin
    if (isLow && !this.paused) this.options.log.error({ freeBytes, freeBytesMin }, 'intake paused: disk nearly full')
    if (!isLow && this.paused) this.options.log.info({ freeBytes }, 'intake goes on')
    this.paused = isLow ? { reason: 'disk', freeBytes, freeBytesMin } : undefined
  }

  private queueHint(path: string): void {
    const root = rootAround(this.options.roots, path)
    if (!root || !isDropPath(root, path)) return
    const seen = this.seen.get(path)
    // A large file that grows is not read at every one of its writes.
    if (seen && seen.dueAt !== Infinity && seen.stamp.sizeBytes > hintSizeBytesMax)
      seen.dueAt = Math.min(seen.dueAt, performance.now() + recheckMs)
    else this.queue(path, root)
  }

  private queue(path: string, root: IntakeRoot): void {
    this.waiting.set(path, root)
    if (this.waiting.size > waitingMax && this.watchers.size > 0) void this.watchLess()
    this.work()
  }

  private work(): void {
    for (const [path, root] of this.waiting) {
      if (this.isStopped || this.paused || this.busy.size >= acceptsAtOnceMax) return
      if (this.inHand.has(path)) continue
      this.waiting.delete(path)
      this.inHand.add(path)
      const looking = this.look(path, root)
        .catch(error => this.putOff(path, error))
        .finally(() => {
          this.inHand.delete(path)
          this.busy.delete(looking)
          this.work()
          if (this.waiting.size + this.busy.size === 0 && this.watchers.size === 0) void this.rescan()
        })
      this.busy.add(looking)
    }
  }

  private async look(path: string, root: IntakeRoot): Promise<void> {
    const known = this.seen.get(path)
    if (known?.dueAt === Infinity && !known.mayMend && !(await this.looksDifferent(path))) return
    const sources = await this.options.read(path, root.folder)
    const [drop, ...named] = sources.files
    if (!drop?.stamp) return this.forget(path)
    const seen: Seen = { root, stamp: drop.stamp, named, dueAt: Infinity, mayMend: false }
    const now = performance.now()
    // What changed under our hands is read again.
    const hasMoved = sources.problems.some(({ code }) => code === 'FILE_CHANGED_WHILE_READ')
    const isProven = (known?.mayMend && isSameReading(known, seen)) || (await hasReady(drop))
    const waitMs = hasMoved ? recheckMs : isProven ? 0 : this.waitFor(sources.files, now)
    this.seen.set(path, seen)
    if (waitMs > 0) {
      seen.dueAt = now + waitMs
      return
    }
    for (const file of sources.files) this.stills.forget(file.path)
    const ageMs = Date.now() - Number(BigInt(drop.stamp.mtimeNs) / 1_000_000n)
    if (ageMs >= 0 && ageMs < clockTickMs) seen.dueAt = now + 2 * clockTickMs
    await this.settle(sources, seen)
  }

  private waitFor(files: readonly DropFile[], now: number): number {
    const stills = files.map(file => ({ ...file, stillMs: this.stills.stillMs(file.path, file.stamp, now) }))
    return waitUntilWhole(stills, this.options.quietMs)
  }

  private async settle(sources: Sources, seen: Seen): Promise<void> {
    const { ledger, log, problemsFolder } = this.options
    const { path, version } = sources
    const renderer = this.options.renderer()
    const known = ledger.state.drops.get(path)
    if (known?.run !== undefined && known.sha256 === version && known.renderer === renderer)
      return withdrawAnswer(path, problemsFolder)
    const root = seen.root.folder
    let run: string
    try {
      run = await this.options.accept(sources)
    } catch (error) {
      if (!(error instanceof FoundryError) || error.code !== 'DROP_INVALID') throw error
      // DROP_INVALID carries its problems.
      const problems = error.details['problems'] as readonly Problem[]
      seen.mayMend = problems.length > sources.problems.length || problems.some(({ code }) => code.startsWith('FILE_'))
      return this.refuse(sources, seen, problems)
    }
    await withdrawAnswer(path, problemsFolder)
    await ledger.append({ kind: 'drop-accepted', at: Date.now(), drop: path, root, sha256: version, run, renderer })
    log.info({ run }, 'drop accepted')
  }

  private async refuse({ path, version }: Sources, seen: Seen, problems: readonly Problem[]): Promise<void> {
    const { ledger, log, problemsFolder } = this.options
    await answerDrop(path, problems, problemsFolder)
    const code = problems.find(problem => problem.severity === 'error')?.code ?? 'DROP_INVALID'
    const known = ledger.state.drops.get(path)
    if (known && known.run === undefined && known.sha256 === version && known.code === code) return
    const facts = { sha256: version, problems: problems.length, code }
    await ledger.append({ kind: 'drop-refused', at: Date.now(), drop: path, root: seen.root.folder, ...facts })
    // A log tells no names of files: "foundry drops" shows this beginning of the drop's hash together with its path.
    log.warn(
      { drop: version.slice(0, 12), problems: problems.length, code },
      'drop refused: see "foundry drops --refused"',
    )
  }

  /** The reason is not the drop's: a full disk, a journal that cannot be written. */
  private putOff(path: string, error: unknown): void {
    const code = error instanceof FoundryError ? error.code : undefined
    this.options.log.error({ reason: code ?? reasonOf(error) }, 'drop put off')
    const seen = this.seen.get(path)
    if (!seen) return
    seen.dueAt = performance.now() + retryMs
    seen.mayMend = true
  }

  private async forget(path: string): Promise<void> {
    const { ledger, problemsFolder } = this.options
    const seen = this.seen.get(path)
    this.seen.delete(path)
    for (const each of [path, ...(seen?.named ?? []).map(file => file.path)]) this.stills.forget(each)
    const known = ledger.state.drops.get(path)
    if (seen || known) await withdrawAnswer(path, problemsFolder)
    // A drop whose run is still there is listed with it.
    if (known && !ledger.state.runs.has(known.run ?? ''))
      await ledger.append({ kind: 'drop-gone', at: Date.now(), drop: path, root: known.root })
  }
}

/** The companion vouches for the drop and all that it names, if it is not older than the drop. */
async function hasReady({ path, stamp }: DropFile): Promise<boolean> {
  const ready = await stampAt(`${path}${readyEnding}`)
  return ready !== undefined && stamp !== undefined && BigInt(ready.mtimeNs) >= BigInt(stamp.mtimeNs)
}

function isSameReading(a: Seen, b: Seen): boolean {
  const isEach = a.named.length === b.named.length
  return isEach && sameStamp(a.stamp, b.stamp) && a.named.every((file, at) => isSame(file.stamp, b.named[at]?.stamp))
}

function isSame(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  return (a === undefined && b === undefined) || sameStamp(a, b)
}
