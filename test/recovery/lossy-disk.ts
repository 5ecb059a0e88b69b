import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { DiskCall } from './record-disk.js'

/**
 * What of the unsynced a power loss leaves: `nothing`, `entries` (names without bytes), `bytes` (without names), `all` (as a crash of the
 * program alone), or what falls out by chance, with the last write torn.
 */
export type Leaves = 'nothing' | 'entries' | 'bytes' | 'all' | { random: (limit: number) => number }

/** Syncs that are taken for not having been. */
export type Ignored = 'file syncs' | 'folder syncs' | undefined

type Change = (bytes: Buffer) => Buffer

class File {
  bytes: Buffer = Buffer.alloc(0)
  safe: Buffer = Buffer.alloc(0)
  /** Since the last sync. */
  changes: Change[] = []
  syncedBy = 0

  change(change: Change): void {
    this.bytes = change(this.bytes)
    this.changes.push(change)
  }
}

type Entries = Map<string, File | Folder>
type Move = (entries: Entries) => void

class Folder {
  entries: Entries = new Map()
  safe: Entries = new Map()
  moves: Move[] = []
  syncedBy = 0

  change(move: Move): void {
    move(this.entries)
    this.moves.push(move)
  }
}

interface Open {
  node: File | Folder
  position: number
}

/** A disk that follows a record of calls, and can say at each moment what would be there after a power loss. */
export class LossyDisk {
  private readonly root: Folder
  private readonly open = new Map<string, Open>()
  private readonly syncing = new Map<string, () => void>()
  private syncs = 0

  /** What lies in the folder now is safe. */
  constructor(
    folder: string,
    private readonly ignored: Ignored,
  ) {
    this.root = readSafe(folder)
  }

  apply(call: DiskCall): void {
    switch (call.op) {
      case 'open':
        return this.openAt(call)
      case 'write': {
        const open = this.open.get(call.handle)
        if (!(open?.node instanceof File)) return
        const at = call.at ?? open.position
        const bytes = Buffer.from(call.bytes, 'base64')
        open.position = at + bytes.length
        return open.node.change(old => overlay(old, bytes, at))
      }
      case 'truncate': {
        const node = this.open.get(call.handle)?.node
        return node instanceof File ? node.change(old => old.subarray(0, call.length)) : undefined
      }
      case 'sync-began': {
        const node = this.open.get(call.handle)?.node
        if (!node) return
        if (this.ignored === (node instanceof File ? 'file syncs' : 'folder syncs')) return
        return void this.syncing.set(`${call.handle} ${call.sync}`, beginSync(node, ++this.syncs))
      }
      case 'sync-ended':
        return this.syncing.get(`${call.handle} ${call.sync}`)?.()
      case 'link':
        return this.enter(call.to, this.at(call.from))
      case 'rename':
        return this.rename(call.from, call.to)
      case 'copy': {
        const [from, copy] = [this.at(call.from), new File()]
        if (from instanceof File) copy.change(() => from.bytes)
        return this.enter(call.to, copy)
      }
      case 'file': {
        const found = this.at(call.path)
        const file = found instanceof File ? found : new File()
        if (file !== found) this.enter(call.path, file)
        return file.change(() => Buffer.from(call.bytes, 'base64'))
      }
      case 'unlink':
        return this.parent(call.path)?.change(entries => void entries.delete(basename(call.path)))
      case 'mkdir':
        return this.makeFolders(call.path)
      case 'told':
        return
    }
  }

  /** Files by path, as a power loss now would leave them. */
  after(leaves: Leaves): Map<string, Buffer> {
    const files = new Map<string, Buffer>()
    const visit = (folder: Folder, path: string) => {
      for (const [name, node] of entriesAfter(folder, leaves)) {
        if (node instanceof Folder) visit(node, join(path, name))
        else files.set(join(path, name), bytesAfter(node, leaves))
      }
    }
    visit(this.root, '')
    return files
  }

  private openAt({ handle, path, creates, truncates }: DiskCall & { op: 'open' }): void {
    let node = this.at(path)
    if (!node && creates) {
      node = new File()
      this.enter(path, node)
    }
    if (node instanceof File && truncates && node.bytes.length > 0) node.change(() => Buffer.alloc(0))
    if (node) this.open.set(handle, { node, position: 0 })
  }

  private rename(from: string, to: string): void {
    const node = this.at(from)
    const [left, entered] = [this.parent(from), this.parent(to)]
    if (!node || !left || !entered) return
    if (left !== entered) {
      this.enter(to, node)
      return left.change(entries => void entries.delete(basename(from)))
    }
    left.change(entries => {
      entries.delete(basename(from))
      entries.set(basename(to), node)
    })
  }

  private enter(path: string, node: File | Folder | undefined): void {
    if (node) this.parent(path)?.change(entries => void entries.set(basename(path), node))
  }

  private makeFolders(path: string): void {
    if (path === '' || path === '.' || this.at(path)) return
    this.makeFolders(dirname(path))
    this.enter(path, new Folder())
  }

  private parent(path: string): Folder | undefined {
    const node = this.at(dirname(path))
    return node instanceof Folder ? node : undefined
  }

  private at(path: string): File | Folder | undefined {
    let node: File | Folder | undefined = this.root
    for (const name of path.split('/').filter(each => each !== '' && each !== '.'))
      node = node instanceof Folder ? node.entries.get(name) : undefined
    return node
  }
}

/** What is there now is safe once the function that this answers is called, unless a later sync was faster. */
function beginSync(node: File | Folder, number: number): () => void {
  const isNewer = () => {
    if (node.syncedBy > number) return false
    node.syncedBy = number
    return true
  }
  if (node instanceof File) {
    const { bytes } = node
    const covered = new Set(node.changes)
    return () => {
      if (!isNewer()) return
      node.safe = bytes
      node.changes = node.changes.filter(each => !covered.has(each))
    }
  }
  const entries = new Map(node.entries)
  const covered = new Set(node.moves)
  return () => {
    if (!isNewer()) return
    node.safe = entries
    node.moves = node.moves.filter(each => !covered.has(each))
  }
}

function entriesAfter({ entries, safe, moves }: Folder, leaves: Leaves): Entries {
  if (leaves === 'all' || leaves === 'entries') return entries
  if (leaves === 'nothing' || leaves === 'bytes') return safe
  const some = new Map(safe)
  for (const move of moves) if (leaves.random(2) === 0) move(some)
  return some
}

function bytesAfter({ bytes, safe, changes }: File, leaves: Leaves): Buffer {
  if (leaves === 'all' || leaves === 'bytes') return bytes
  if (leaves === 'nothing' || leaves === 'entries') return safe
  // Some writes, in their order, the last of them torn.
  const kept = leaves.random(changes.length + 1)
  let left = safe
  for (const change of changes.slice(0, kept)) left = change(left)
  if (kept === changes.length) return left
  const next = changes[kept]?.(left) ?? left
  if (next.length <= left.length) return left
  return next.subarray(0, left.length + leaves.random(next.length - left.length))
}

function overlay(old: Buffer, bytes: Buffer, at: number): Buffer {
  const whole = Buffer.alloc(Math.max(old.length, at + bytes.length))
  old.copy(whole)
  bytes.copy(whole, at)
  return whole
}

function readSafe(path: string): Folder {
  const folder = new Folder()
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, entry.name)
    if (entry.isDirectory()) folder.entries.set(entry.name, readSafe(below))
    else {
      const file = new File()
      file.bytes = file.safe = readFileSync(below)
      folder.entries.set(entry.name, file)
    }
  }
  folder.safe = new Map(folder.entries)
  return folder
}

/** Makes a folder hold exactly these files; it holds `before` already. */
export function writeFiles(
  folder: string,
  files: ReadonlyMap<string, Buffer>,
  before: ReadonlyMap<string, Buffer>,
): void {
  for (const path of before.keys()) if (!files.has(path)) rmSync(join(folder, path))
  for (const [path, bytes] of files) {
    if (before.get(path)?.equals(bytes)) continue
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
}
