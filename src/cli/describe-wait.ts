import type { RunSummary } from '../operations/run-summary.js'
import { counted } from './terminal.js'

/** What a human has to type before a run goes on; nothing where it goes on by itself. */
export function describeWait({
  run,
  waitsFor,
  counts,
}: Pick<RunSummary, 'run' | 'counts'> & { waitsFor?: RunSummary['waitsFor'] }): string[] {
  const held = counted(counts['held'] ?? 0, 'picture')
  switch (waitsFor) {
    case 'approval':
      return [
        `approve   foundry runs approve ${run} renders the other ${held}`,
        `or not    foundry runs cancel ${run} ends it with the preview`,
      ]
    case 'resume':
      return [`to go on  foundry runs resume ${run}`]
    case 'decision':
      return [
        `why       foundry runs show ${run} --state held`,
        `to go on  foundry runs retry ${run}, once that is mended`,
      ]
    case undefined:
      return []
  }
}
