import { resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { failure, type Problem, reasonOf } from '../errors.js'
import { deployKit, type Placement, reasonNotDeployed } from '../library/talents-deploy.js'
import { exitCodes } from './exit-codes.js'
import { checkFolder, kitOf, readKits } from './talents-commands.js'
import { counted, table, type Terminal } from './terminal.js'

export interface DeployFlags {
  to?: string
  copy?: boolean
  dryRun?: boolean
}

/**
 * Puts weights where servers find them. Without ids all kits are meant, and those of no use to a server are only told; a named
 * one that is refused is a failure. Throws USAGE_INVALID without a folder, FILE_UNREADABLE and CONFIG_INVALID for those that are
 * not there, TALENT_UNKNOWN.
 */
export async function deployTalents(
  config: Config,
  terminal: Terminal,
  { ids, flags }: { ids: readonly string[]; flags: DeployFlags },
): Promise<number> {
  const folders = await findFolders(config, flags.to)
  const library = await readKits(config)
  const named = ids.map(id => kitOf(library, id))
  const kits = named.length > 0 ? named : library.talents.filter(kit => reasonNotDeployed(kit) === undefined)
  const leftOut = library.talents.filter(kit => named.length === 0 && !kits.includes(kit))
  const options = { isCopy: flags.copy ?? false, isDryRun: flags.dryRun ?? false }
  const placements: Placement[] = []
  for (const folder of folders) for (const kit of kits) placements.push(await deployKit(kit, folder, options))
  tell(terminal, {
    placements,
    leftOut: leftOut.map(kit => ({ kit: kit.id, reason: reasonNotDeployed(kit) ?? '' })),
    isDryRun: options.isDryRun,
  })
  return placements.some(each => each.state === 'refused') ? exitCodes.someFailed : exitCodes.done
}

/** Absolute, each once. Nothing is put anywhere while one of them is missing. */
async function findFolders(config: Config, to: string | undefined): Promise<string[]> {
  if (to !== undefined) {
    await checkFolder(to)
    return [resolve(to)]
  }
  const told = config.servers.flatMap(({ name, loraFolder }) =>
    loraFolder === undefined ? [] : [{ name, folder: resolve(config.paths.home, loraFolder) }],
  )
  if (told.length === 0)
    throw failure('USAGE_INVALID', {
      problem: 'It is not known where servers keep their LoRAs',
      next: 'name the folder with --to FOLDER, or set "loraFolder" of a server in foundry.yaml',
    })
  const problems: Problem[] = []
  for (const { name, folder } of told)
    await checkFolder(folder).catch((error: unknown) => problems.push(noFolder(name, reasonOf(error))))
  if (problems.length > 0) throw failure('CONFIG_INVALID', { file: 'foundry.yaml', problems })
  return [...new Set(told.map(each => each.folder))]
}

function noFolder(server: string, reason: string): Problem {
  return {
    severity: 'error',
    code: 'CONFIG_FOLDER_MISSING',
    message: reason,
    file: 'foundry.yaml',
    path: `servers.${server}.loraFolder`,
  }
}

interface Told {
  placements: readonly Placement[]
  leftOut: readonly { kit: string; reason: string }[]
  isDryRun: boolean
}

const words: Readonly<Record<Placement['state'], string>> = {
  linked: 'linked',
  copied: 'copied',
  there: 'was there',
  planned: 'would be put there',
  refused: 'refused',
}

function tell(terminal: Terminal, { placements, leftOut, isDryRun }: Told): void {
  terminal.answer({ placements, leftOut, isDryRun })
  const rows = placements.map(({ kit, folder, name, state, reason }) => [
    words[state],
    state === 'refused' ? `${kit}, since ${reason}` : `${folder}/${name}`,
  ])
  if (rows.length > 0) terminal.say(table(rows))
  for (const { kit, reason } of leftOut) terminal.note(`left out: ${kit}, since ${reason}`)
  const placed = placements.filter(each => each.state === 'linked' || each.state === 'copied').length
  if (placements.length === 0) terminal.say('No kit here is of use to a server: "foundry talents validate" says why')
  else if (placed > 0)
    terminal.say(
      `${counted(placed, 'file')} put; a server that runs finds them when it is asked next, as does "foundry doctor"`,
    )
}
