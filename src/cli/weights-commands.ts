import { type Command, Option } from 'commander'
import type { LoraFamily } from '../library/lora-family.js'
import { type CommandHost, examples } from './command-context.js'
import type { ConvertFlags } from './talents-convert.js'

/** What is done with the weights of kits: `talents check`, `talents convert`. */
export function addWeightsCommands(talents: Command, host: CommandHost): void {
  talents
    .command('check [path...]')
    .summary('what ComfyUI does with weights')
    .description(
      'Says what ComfyUI does with weights: files, folders of kits, or ids; all kits where none is named. Layers that it passes over, with the cause; family, rank, alpha and hashes (exit 1 if nothing of a file would be loaded).',
    )
    .addHelpText(
      'after',
      examples([
        ['foundry talents check pytorch_lora_weights.safetensors', 'before it becomes a kit'],
        ['foundry talents check avatar.style.ink', 'a kit of this home'],
      ]),
    )
    .action(
      host.run<object, [string[]]>(async ({ terminal, config }, paths) => {
        const { checkWeights } = await import('./talents-check.js')
        return checkWeights(await config(), terminal, paths)
      }),
    )
  talents
    .command('convert <path>')
    .summary('rewrite weights so that ComfyUI reads them')
    .description(
      'Rewrites weights, a file or those of a kit, so that ComfyUI reads all layers with the strength they were trained with: kohya’s names for SD 1.5 and SDXL, and alphas from adapter_config.json. The numbers of the tensors stay.',
    )
    .option('--to <file>', 'the new file; nothing that is there is written over')
    .option('--replace', 'replace the weights of a kit; the old ones stay beside them')
    .addOption(new Option('--family <name>', 'the base model, where the file leaves it open').choices(families))
    .option('--dry-run', 'say what would change, write nothing')
    .addHelpText(
      'after',
      examples([
        ['foundry talents convert adapter_model.safetensors --to ink.safetensors', 'what PEFT saved'],
        ['foundry talents convert avatar.style.ink --replace', 'the weights of a kit'],
      ]),
    )
    .action(
      host.run<ConvertFlags, [string]>(async ({ terminal, config, flags }, word) => {
        const { convertWeights } = await import('./talents-convert.js')
        return convertWeights(await config(), terminal, { word, flags })
      }),
    )
}

const families: readonly LoraFamily[] = ['sd15', 'sd2', 'sdxl', 'sd3', 'flux']
