import { open } from 'node:fs/promises'
import { listJournal, segmentPath } from './journal-files.js'
import { scanFrames } from './journal-frames.js'
import { corruptionOf } from './journal-replay.js'

/** Records are held in memory until they are taken, so no read gives more. */
export const readCountMax = 10_000

export interface JournalRecord {
  sequence: number
  event: unknown
}

/**
 * Durable records from `from` to `through`, at most `limit`. Sequences skip one where a segment begins. When `from` is
 * no longer kept, the oldest kept record comes first. Throws JOURNAL_CORRUPT.
 */
export async function* readRecords(
  folder: string,
  { from, through, limit }: { from: number; through: number; limit: number },
): AsyncGenerator<JournalRecord, void, undefined> {
  const { segments } = await listJournal(folder)
  const start = segments.findLastIndex(first => first <= from)
  let left = Math.min(limit, readCountMax)
  for (const first of segments.slice(Math.max(0, start))) {
    if (left <= 0 || first > through) return
    const records = await readSegment(folder, first, { from, through, limit: left })
    left -= records.length
    yield* records
  }
}

async function readSegment(
  folder: string,
  first: number,
  { from, through, limit }: { from: number; through: number; limit: number },
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = []
  const handle = await open(segmentPath(folder, first))
  try {
    const end = (await handle.stat()).size
    let reached = 0
    const { offset, reason } = await scanFrames(handle, {
      end,
      visit({ sequence, json }) {
        reached = sequence
        if (sequence > through) return false
        if (sequence >= from && sequence !== first)
          records.push({ sequence, event: JSON.parse(json.toString('utf8')) as unknown })
        return sequence < through && records.length < limit
      },
    })
    // Beyond `through` lies what is just being written.
    if (reason !== undefined && reached < through)
      throw corruptionOf(folder, { segment: first, offset, sizeBytes: end, reason, isTail: false })
    return records
  } finally {
    await handle.close()
  }
}
