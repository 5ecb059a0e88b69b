import type { Config } from '../config/config.js'
import type { Problem } from '../errors.js'
import type { Spread } from '../library/lora-header.js'
import { inspectLora, type LoraInspection } from '../library/lora-inspection.js'
import { exitCodes } from './exit-codes.js'
import { findWeights, type Weights } from './talents-weights.js'
import { counted, table, type Terminal } from './terminal.js'

/**
 * What ComfyUI does with weights. Some failed where a file cannot be read or nothing of it would be loaded.
 * Throws TALENT_UNKNOWN, FILE_UNREADABLE.
 */
export async function checkWeights(config: Config, terminal: Terminal, words: readonly string[]): Promise<number> {
  const targets = await findWeights(config, words)
  const results: Result[] = []
  for (const target of targets) {
    const { found, problems } = await inspectLora(target.path, { file: target.file })
    const result = { ...target, inspection: found?.inspection, problems, next: nextStep(target, found?.inspection) }
    results.push(result)
    tell(terminal, result)
  }
  const failed = results.filter(({ inspection }) => !inspection || inspection.verdict === 'nothing').length
  terminal.answer({ files: results.map(({ path: _path, ...each }) => each), failed })
  if (results.length === 0) terminal.say('No kits lie here: name a file, or see talents/README.md')
  if (results.length > 1)
    terminal.say(`\n${counted(results.length, 'file')}, of which ${failed} would do nothing in ComfyUI`)
  return failed > 0 ? exitCodes.someFailed : exitCodes.done
}

interface Result extends Weights {
  inspection: LoraInspection | undefined
  problems: readonly Problem[]
  next: string | undefined
}

const verdicts: Readonly<Record<LoraInspection['verdict'], string>> = {
  loads: 'loads whole',
  partly: 'loads in part',
  nothing: 'does nothing: every layer is passed over, and no error is shown',
  unjudged: 'not judged: how the layers of its base model are named is not known here',
}

const colours = { loads: 'green', partly: 'yellow', nothing: 'red', unjudged: 'yellow' } as const

function tell(terminal: Terminal, { file, kit, inspection, problems, next }: Result): void {
  terminal.say(`${kit ?? file}`)
  if (inspection) terminal.say(table(describe(inspection, terminal).map(([name, text]) => [`  ${name}`, text])))
  if (!terminal.isJson) terminal.problems(problems)
  if (next !== undefined) terminal.say(`  next: ${next}`)
}

function describe(inspection: LoraInspection, { paint }: Terminal): [string, string][] {
  const { verdict, facts, hash, layers, unread, strays, dtypes, alpha } = inspection
  const encoder =
    layers.textEncoder > 0 ? `, ${layers.textEncoder} of them in text encoders` : ', none in text encoders'
  return [
    [
      'ComfyUI',
      `${paint(colours[verdict], verdicts[verdict])} (${layers.read} of ${counted(layers.all, 'layer')}${encoder})`,
    ],
    [
      'family',
      `${facts.family === 'unknown' ? facts.candidates.join(' or ') || 'unknown' : facts.family} (${facts.evidence})`,
    ],
    [
      'form',
      `${facts.layout}, ${Object.entries(dtypes)
        .map(([dtype, count]) => `${count} ${dtype}`)
        .join(', ')}`,
    ],
    ['rank', facts.rank ? showSpread(facts.rank) : 'none'],
    ['alpha', describeAlpha(alpha)],
    ...unread.map(({ layers, why, examples }): [string, string] => [
      'passed over',
      `${counted(layers, 'layer')}, since ${why}: ${examples.join(', ')}${layers > examples.length ? ', …' : ''}`,
    ]),
    ...(strays.tensors > 0
      ? [
          ['ignored', `${counted(strays.tensors, 'tensor')} of no layer: ${strays.examples.join(', ')}`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(facts.isDraft ? [['draft', 'made to try the foundry out: no real server is sent it'] as [string, string]] : []),
    ['SHA-256', hash.sha256],
    ['AutoV3', hash.tensorSha256?.slice(0, 12) ?? 'none'],
  ]
}

function describeAlpha({ values, missing, factor, meant }: LoraInspection['alpha']): string {
  if (!factor) return 'none needed'
  const told = values ? showSpread(values) : 'none in the file'
  const lacking = values && missing > 0 ? `, missing in ${counted(missing, 'layer')}` : ''
  const off =
    meant && showSpread(meant.factor) !== showSpread(factor)
      ? ` (${meant.source} says ${showSpread(meant.factor)})`
      : ''
  return `${told}${lacking}; the strength is multiplied by ${showSpread(factor)}${off}`
}

function showSpread({ usual, min, max }: Spread): string {
  const show = (value: number) => String(Number(value.toPrecision(4)))
  return min === max ? show(usual) : `${show(usual)} (${show(min)} to ${show(max)})`
}

/** What to type next; undefined where there is nothing to mend by a command. */
function nextStep({ file, kit }: Weights, inspection: LoraInspection | undefined): string | undefined {
  if (!inspection?.isConvertible) return undefined
  return kit === undefined
    ? `foundry talents convert ${file} --to ${file.replace(/(?:\.\w+)?$/, '-comfyui.safetensors')}`
    : `foundry talents convert ${kit} --replace`
}
