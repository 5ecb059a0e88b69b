import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import { type Conversion, convertLora } from '../library/lora-convert.js'
import type { LoraFamily } from '../library/lora-family.js'
import type { LoraInspection } from '../library/lora-inspection.js'
import { exitCodes } from './exit-codes.js'
import { findOneWeights } from './talents-weights.js'
import { counted, table, type Terminal } from './terminal.js'

export interface ConvertFlags {
  to?: string
  replace?: boolean
  family?: LoraFamily
  dryRun?: boolean
}

/**
 * Writes weights so that ComfyUI reads them. Some failed where it would still read nothing.
 * Throws USAGE_INVALID, TALENT_UNKNOWN, and what `convertLora` throws.
 */
export async function convertWeights(
  config: Config,
  terminal: Terminal,
  { word, flags }: { word: string; flags: ConvertFlags },
): Promise<number> {
  const { to, replace = false, family, dryRun: isDryRun = false } = flags
  if ((to === undefined) !== replace)
    throw failure('USAGE_INVALID', {
      problem: 'A conversion writes one file',
      next: 'name a new one with --to FILE, or replace the weights of a kit with --replace',
    })
  const { file, path, kit } = await findOneWeights(config, word)
  if (replace && kit === undefined)
    throw failure('USAGE_INVALID', { problem: `${word} is no kit`, next: 'name a new file with --to FILE' })
  const conversion = await convertLora(path, { file, to, family, isDryRun })
  tell(terminal, { conversion, target: to ?? file, isDryRun })
  return (conversion.after ?? conversion.before).verdict === 'nothing' && !isDryRun
    ? exitCodes.someFailed
    : exitCodes.done
}

interface Told {
  conversion: Conversion
  target: string
  isDryRun: boolean
}

function tell(terminal: Terminal, { conversion, target, isDryRun }: Told): void {
  const { before, after, renamed, alphas, kept, problems } = conversion
  terminal.answer({ ...conversion, target, isWritten: after !== undefined })
  if (!terminal.isJson) terminal.problems(problems)
  if (!before.isConvertible) {
    terminal.say(`${before.file} stays as it is: a conversion would change nothing of what ComfyUI reads`)
    return
  }
  const rows = [
    ['  renamed', counted(renamed, 'tensor')],
    ['  added', counted(alphas, 'alpha')],
    ['  read before', describeRead(before)],
    ...(after ? [['  read now', describeRead(after)]] : []),
    ['  SHA-256 before', before.hash.sha256],
    ...(after ? [['  SHA-256 now', after.hash.sha256]] : []),
    ['  AutoV3 before', before.hash.tensorSha256?.slice(0, 12) ?? ''],
    ...(after ? [['  AutoV3 now', after.hash.tensorSha256?.slice(0, 12) ?? '']] : []),
    ...(kept === undefined ? [] : [['  before, kept as', kept]]),
  ]
  terminal.say(`${target}${isDryRun ? ' would be written' : ''}\n${table(rows)}`)
}

function describeRead({ layers, alpha }: LoraInspection): string {
  return `${layers.read} of ${counted(layers.all, 'layer')}, factor ${alpha.factor?.usual ?? 'none'}`
}
