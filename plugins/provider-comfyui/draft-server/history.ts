/** What stays of a finished job, as `/history` shows it. */
export interface HistoryEntry {
  prompt: unknown[]
  outputs: Record<string, Record<string, unknown>>
  status: { status_str: 'success' | 'error'; completed: boolean; messages: [string, Record<string, unknown>][] }
  meta: Record<string, Record<string, unknown>>
}

/** As many jobs as the real server remembers. */
const entriesMax = 10_000

/** Finished jobs by id, oldest first. A second job of the same id takes the place of the first. */
export class History {
  private entries = new Map<string, HistoryEntry>()

  add(promptId: string, entry: HistoryEntry): void {
    this.entries.set(promptId, entry)
    const oldest = this.entries.keys().next()
    if (this.entries.size > entriesMax && !oldest.done) this.entries.delete(oldest.value)
  }

  get(promptId: string): HistoryEntry | undefined {
    return this.entries.get(promptId)
  }

  all(): [string, HistoryEntry][] {
    return [...this.entries]
  }

  /** `max` alone gives the newest, together with `offset` a window counted from the oldest. */
  page(max: number | undefined, offset: number | undefined): Record<string, HistoryEntry> {
    const all = this.all()
    const isFromEnd = max !== undefined && (offset === undefined || offset < 0)
    const start = isFromEnd ? Math.max(0, all.length - max) : Math.max(0, offset ?? 0)
    return Object.fromEntries(max === undefined ? all.slice(start) : all.slice(start, start + Math.max(0, max)))
  }

  delete(promptId: string): void {
    this.entries.delete(promptId)
  }

  clear(): void {
    this.entries.clear()
  }
}
