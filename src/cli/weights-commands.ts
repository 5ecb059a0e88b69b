import { type Command, Option } from 'commander'
import type { LoraFamily } from '../library/lora-family.js'
import { families } from '../schema/template.js'
import { type CommandHost, examples } from './command-context.js'
import type { ConvertFlags } from './talents-convert.js'
import { countingNumber, defaultWeight } from './option-values.js'
import type { DeployFlags } from './talents-deploy.js'
import type { InitFlags } from './talents-init.js'

/** What is done with the weights of kits: `talents init`, `check`, `convert`, `deploy`. */
export function addWeightsCommands(talents: Command, host: CommandHost): void {
  talents
    .command('init <id>')
    .summary('make a kit of a file of weights')
    .description(
      'Makes a kit of a safetensors file, which is copied: base model, rank and words are read from the file, and what cannot be known is asked for. A folder that is there is left alone.',
    )
    .requiredOption('--from <file>', 'the weights')
    .option('--to <folder>', 'the folder of the kit, which bears its id; otherwise talents/avatar/ID of the home')
    .option('--token <word>', 'the word that calls an identity')
    .option('--license <text>', 'what others may do with it')
    .addOption(new Option('--family <name>', 'the base model, where the file leaves it open').choices(families))
    .option('--base-model <id>', 'the base model as a hub id')
    .option('--rank <n>', 'the rank, where the file has none', countingNumber)
    .option('--weight <w>', 'the default weight, up to 2 (identity 1, style 0.8)', defaultWeight)
    .option('--no-tags', 'take no words from the tags of training pictures')
    .addHelpText(
      'after',
      examples([
        ['foundry talents init avatar.style.ink --from ink.safetensors --license CC-BY-4.0', 'a style'],
        ['foundry talents init avatar.identity.dot_kairo --from kairo.safetensors --token dot_kairo', 'a character'],
      ]),
    )
    .action(
      host.run<InitFlags, [string]>(async ({ terminal, config, flags }, id) => {
        const { initKit } = await import('./talents-init.js')
        return initKit(await config(), terminal, { id, flags })
      }),
    )
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
    .addOption(new Option('--family <name>', 'the base model, where the file leaves it open').choices(weightsFamilies))
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
  talents
    .command('deploy [id...]')
    .summary('put kits where servers find them')
    .description(
      'Puts the weights of kits, all that are of use where none is named, into the LoRA folders of servers, under names by which these find them: as a second name of the same file, or a copy. What is there already is left.',
    )
    .option('--to <folder>', 'models/loras of a server; otherwise "loraFolder" of each server in foundry.yaml')
    .option('--copy', 'always copy, so that a kit may change without its deployed weights')
    .option('--dry-run', 'say what would be put where, write nothing')
    .addHelpText(
      'after',
      examples([
        ['foundry talents deploy --to /srv/comfyui/models/loras --dry-run', 'what would be put there'],
        ['foundry talents deploy avatar.style.ink', 'one kit, to every server that has a loraFolder'],
      ]),
    )
    .action(
      host.run<DeployFlags, [string[]]>(async ({ terminal, config, flags }, ids) => {
        const { deployTalents } = await import('./talents-deploy.js')
        return deployTalents(await config(), terminal, { ids, flags })
      }),
    )
}

/** Also one that there are no kits for. */
const weightsFamilies: readonly LoraFamily[] = [...families, 'sd2']
