import type { Attempt, OutputFile } from '../../src/plugins/contract.js'
import { isRecord, listOf, recordOf } from './json.js'
import { saveStem } from './sent-graph.js'

const outputsMax = 10_000

/** The files in what one node put out: objects with a file name, under any key. Other things are passed over. */
export function filesOfNode(output: unknown): OutputFile[] {
  return Object.values(recordOf(output))
    .flatMap(listOf)
    .filter(isRecord)
    .flatMap(({ filename, subfolder, type }) =>
      typeof filename === 'string' && filename !== ''
        ? [
            {
              filename,
              subfolder: typeof subfolder === 'string' ? subfolder : '',
              type: typeof type === 'string' ? type : 'output',
            },
          ]
        : [],
    )
    .slice(0, outputsMax)
}

/**
 * The pictures of an attempt among what all nodes put out: those of its save nodes; where these are not known
 * (after a crash) the files saved under its name, or else every file that is kept.
 */
export function pictureFiles(
  filesByNode: ReadonlyMap<string, readonly OutputFile[]>,
  attempt: Attempt,
  saveNodes: readonly string[] | undefined,
): OutputFile[] {
  if (saveNodes) return saveNodes.flatMap(id => filesByNode.get(id) ?? [])
  const kept = [...filesByNode.values()].flat().filter(file => file.type === 'output')
  const own = kept.filter(file => file.filename.startsWith(`${saveStem(attempt)}_`))
  return own.length > 0 ? own : kept
}
