import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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
