import { createReadStream, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type FoundryEvent, withoutPaths } from './events.js'
import { runFiles } from './run-folder.js'

/**
 * The whole story of a run, one JSON line an event, without paths of this machine. What a snapshot has let go of in the journal
 * stands in the run's own `events.jsonl`, since only finished runs are let go of.
 */
export async function runEventLines(
  folder: string,
  events: AsyncIterable<FoundryEvent> | Iterable<FoundryEvent>,
): Promise<string[]> {
  const lines: string[] = []
  let first: FoundryEvent | undefined
  for await (const event of events) {
    first ??= event
    lines.push(JSON.stringify(withoutPaths(event)))
  }
  const earlier = join(folder, runFiles.events)
  if (first?.kind === 'run-accepted' || !existsSync(earlier)) return lines
  return [...(await readFile(earlier, 'utf8')).split('\n').filter(Boolean), ...lines]
}

/** What the record of a run tells in lines with this text. The others are not parsed: most of a long record is of other jobs. */
export async function* recordedEvents(folder: string, text: string): AsyncGenerator<FoundryEvent> {
  const file = join(folder, runFiles.events)
  if (!existsSync(file)) return
  const input = createReadStream(file, 'utf8')
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity }))
      if (line.includes(text)) yield JSON.parse(line) as FoundryEvent
  } finally {
    input.destroy()
  }
}
