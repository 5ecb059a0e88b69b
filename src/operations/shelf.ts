import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config/config.js'
import { packageRoot } from '../config/package-root.js'
import { describeProblem, type Problem, reasonOf } from '../errors.js'
import { type LibraryWorkflow, readWorkflows } from '../library/workflows.js'
import { readStyles } from '../library/styles.js'
import { readTalents, type Talent } from '../library/talents.js'
import type { TalentIndex } from '../library/talent-index.js'
import { readTemplates } from '../library/templates.js'
import { mergeStyles } from '../mixing/merge-styles.js'
import { resolvePlugins } from '../plugins/load-plugins.js'
import type { Style } from '../schema/style.js'
import type { Template } from '../schema/template.js'
import { parseGraph } from '../workflow/parse-graph.js'

/** Everything that lies in a home and its plugins, as values. */
export interface Shelf {
  talents: ReadonlyMap<string, Talent>
  templates: ReadonlyMap<string, { template: Template; sha256: string; path: string }>
  workflows: ReadonlyMap<string, LibraryWorkflow>
  style: Style
  styleFiles: { name: string; path: string; sha256: string }[]
  problems: Problem[]
}

/** A shelf is read again when it is older than this: a burst of drops reads it once. */
const shelfAgeMsMax = 2000

/**
 * Answers the shelf of a home, read afresh at most every two seconds: also plugins with data that came meanwhile. What is wrong
 * is logged once.
 */
export function createShelfReader(config: Config, index: TalentIndex, log: Logger): () => Promise<Shelf> {
  let reading: { at: number; shelf: Promise<Shelf> } | undefined
  let told = new Set<string>()
  const tell = (problems: readonly Problem[]) => {
    const found = new Set(problems.map(describeProblem))
    for (const problem of found) if (!told.has(problem)) log.warn({ problem }, 'library')
    told = found
  }
  const readAndKeep = async () => {
    const shelf = await readShelf(config, index)
    tell(shelf.problems)
    // The index only spares work next time: a home that cannot keep it is read all the same.
    await index.save().catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'index not kept'))
    return shelf
  }
  return () => {
    if (reading && performance.now() - reading.at < shelfAgeMsMax) return reading.shelf
    const shelf = readAndKeep()
    reading = { at: performance.now(), shelf }
    shelf.then(
      ({ talents }) => log.debug({ talents: talents.size }, 'library read'),
      () => {
        reading = undefined
      },
    )
    return shelf
  }
}

/** Reads everything anew; a folder that is not there is empty. */
export async function readShelf(config: Config, index: TalentIndex): Promise<Shelf> {
  const { usable, problems } = await resolvePlugins(config)
  const folders = usable.map(plugin => plugin.folder)
  const [talents, templates, workflows, styles] = await Promise.all([
    readTalents([config.paths.talents, ...folders], { index }),
    readTemplates([...folders, join(config.paths.home, 'templates')]),
    readWorkflows([join(packageRoot, 'workflows'), config.paths.workflows], parseGraph),
    readStyles(folders),
  ])
  const merged = mergeStyles(styles.styles.map(({ style, file }) => ({ plugin: file, style })))
  return {
    talents: new Map(talents.talents.map(talent => [talent.id, talent])),
    templates: templates.templates,
    workflows: workflows.workflows,
    style: merged.style,
    styleFiles: styles.styles.map(({ style, path, sha256 }) => ({ name: style.name, path, sha256 })),
    problems: [
      ...problems,
      ...talents.problems,
      ...templates.problems,
      ...workflows.problems,
      ...styles.problems,
      ...merged.problems,
    ],
  }
}
