import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { isHome } from '../config/config.js'
import { failure, hasErrors } from '../errors.js'
import { openIndex } from '../library/talent-index.js'
import { listKits } from '../library/talent-index-entry.js'
import { readStyles } from '../library/styles.js'
import { type Library, readTalents, type Talent } from '../library/talents.js'
import { mergeStyles } from '../mixing/merge-styles.js'
import { resolvePlugins } from '../plugins/load-plugins.js'
import { familyBySdxVersion } from '../schema/talent.js'
import { exitCodes } from './exit-codes.js'
import { table, type Terminal } from './terminal.js'

export async function listTalents(config: Config, terminal: Terminal): Promise<number> {
  const { talents } = await readKits(config)
  terminal.answer({ talents: talents.map(summary) })
  if (talents.length === 0) terminal.say(`No kits lie under ${config.paths.talents}: see its README`)
  else {
    const rows = talents
      .map(summary)
      .map(each => [each.id, each.family, `rank ${each.rank}`, `weight ${each.defaultWeight}`, each.state])
    terminal.say(table([['TALENT', 'FAMILY', 'RANK', 'DEFAULT', 'STATE'], ...rows]))
  }
  return exitCodes.done
}

export async function showTalent(config: Config, terminal: Terminal, id: string): Promise<number> {
  const talent = kitOf(await readKits(config), id)
  terminal.answer({ ...talent, state: stateOf(talent) })
  terminal.say(`${talent.id} (${stateOf(talent)})\n${JSON.stringify(talent.file, null, 2)}`)
  if (talent.weights) terminal.say(table(Object.entries(talent.weights).map(([name, value]) => [name, String(value)])))
  terminal.problems(talent.problems)
  return exitCodes.done
}

/** The sliders of all style plugins with their poles, and the finishes: what a kit may say. */
export async function listSliders(config: Config, terminal: Terminal): Promise<number> {
  const { styles, problems } = await readStyles(await pluginFoldersOf(config))
  const { style, problems: clashes } = mergeStyles(styles.map(each => ({ plugin: each.file, style: each.style })))
  const sliders = Object.entries(style.sliders ?? {}).map(([slider, { left, right }]) => ({
    slider,
    left: { label: left.label, talent: left.talent },
    right: { label: right.label, talent: right.talent },
  }))
  const finishes = Object.keys(style.finish ?? {})
  terminal.answer({ sliders, finishes })
  terminal.problems([...problems, ...clashes])
  const rows = sliders.map(each => [each.slider, describePole(each.left), describePole(each.right)])
  terminal.say(table([['SLIDER', 'AT 0', 'AT 1'], ...rows]))
  terminal.say(`\nfinishes: ${finishes.join(', ') || 'none'}`)
  return exitCodes.done
}

function describePole({ label, talent }: { label: string; talent: string | undefined }): string {
  return talent === undefined ? label : `${label} (${talent})`
}

/** Throws FILE_UNREADABLE where the folder is none. */
export async function validateTalents(config: Config, terminal: Terminal, folder: string | undefined): Promise<number> {
  if (folder !== undefined) await checkFolder(folder)
  const { talents, refused, problems } = await readKits(config, folder === undefined ? undefined : [resolve(folder)])
  terminal.answer({
    usable: talents.filter(each => each.usable).map(each => each.id),
    refused: refused.map(each => each.folder),
    problems,
  })
  if (!terminal.isJson) terminal.problems(problems)
  terminal.say(countUsable(talents, talents.length + refused.length))
  return hasErrors(problems) ? exitCodes.someFailed : exitCodes.done
}

/** How many kits can be used, and how many of those have draft weights, which no real server is sent. */
export function countUsable(talents: readonly Talent[], total: number): string {
  const usable = talents.filter(each => each.usable)
  const drafts = usable.filter(each => each.weights?.isDraft).length
  return `${usable.length} of ${total} kits can be used${drafts > 0 ? `, ${drafts} of them drafts only` : ''}`
}

/** A kit by its id. Throws TALENT_UNKNOWN. */
export function kitOf({ talents }: Library, id: string): Talent {
  const talent = talents.find(each => each.id === id)
  if (!talent) throw failure('TALENT_UNKNOWN', { talent: id, known: talents.map(each => each.id) })
  return talent
}

/** Throws FILE_UNREADABLE where no folder is. */
export async function checkFolder(folder: string): Promise<void> {
  const reason = await stat(folder).then(
    stats => (stats.isDirectory() ? undefined : 'it is not a folder'),
    ({ code }: NodeJS.ErrnoException) => (code === 'ENOENT' ? 'there is no such folder' : (code ?? 'unreadable')),
  )
  if (reason !== undefined) throw failure('FILE_UNREADABLE', { file: folder, reason })
}

/** An array, as Talent Factory's indexer prints it, with fields of our own at the end. */
export async function printIndex(config: Config, terminal: Terminal, includeInvalid: boolean): Promise<number> {
  const entries = listKits(await readKits(config), { includeInvalid })
  if (terminal.isJson) terminal.answer(entries)
  else terminal.say(JSON.stringify(entries, null, 2))
  return exitCodes.done
}

/** The kits of the home and its plugins, or of some folders. Throws HOME_MISSING. */
export async function readKits(config: Config, folders?: readonly string[]): Promise<Library> {
  const { home, talents } = config.paths
  if (!folders && !isHome(home) && !existsSync(talents)) throw failure('HOME_MISSING', { home })
  const plugins = await pluginFoldersOf(config)
  const index = await openIndex(config.paths.index)
  return readTalents(folders ?? [config.paths.talents, ...plugins], {
    index,
    root: config.paths.home,
  })
}

function summary(talent: Talent) {
  return {
    id: talent.id,
    family: familyBySdxVersion[talent.file.sdx_version],
    rank: talent.file.lora_rank,
    defaultWeight: talent.file.default_weight,
    state: stateOf(talent),
  }
}

function stateOf(talent: Talent): string {
  if (!talent.usable) return `unusable (${talent.problems.filter(each => each.severity === 'error').length} errors)`
  return talent.weights?.isDraft ? 'draft' : 'usable'
}

async function pluginFoldersOf(config: Config): Promise<string[]> {
  return (await resolvePlugins(config)).usable.map(plugin => plugin.folder)
}
