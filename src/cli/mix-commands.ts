import { type Command, Option } from 'commander'
import { families } from '../schema/template.js'
import { type CommandHost, examples, exitCodeHelp } from './command-context.js'
import type { MixFlags } from './mix-command.js'
import { sheetSteps, sliderValues, wholeNumber } from './option-values.js'
import { withServers } from './render-commands.js'

const jsonHelp = `
With --json: persona, file, template, view, family, sliders (position, where it comes from, weights of both poles), weights (of each
talent: raw from the curve, × defaultWeight = weighted, effective within the budget, source, why it is left out), budget, and of
positive and negative: prompt, fragments (each with its source), dropped (each with its reason); warnings. With --sheet: as "foundry render --json", the picture among the composites of its run
`

/** `mix`. Its work is loaded when it is called, so that help and completion answer at once. */
export function addMixCommand(program: Command, host: CommandHost): void {
  withServers(program.command('mix <persona>').summary('what a persona is mixed from: weights and words'))
    .description(
      'Shows the LoRA weights (raw, times the default of the kit, within the budget) and the words of a persona, each with its source, and ' +
        'what was left out and why. Renders nothing and asks no server. The persona is the file of a kit, the dot_id of one in ' +
        'manifests/, or the id of an identity talent. With --sheet a sweep is rendered, as a run with one seed, and one labelled ' +
        'picture shows all positions with their weights.',
    )
    .option(
      '--set <slider=position>',
      'slider position 0–1 (repeatable); a pole by its name, creature=0.2: 20 % of the way to it. A slider that is called like its pole is the slider: mecha=0.2 is the position 0.2',
      sliderValues,
    )
    .option('--finish <finish>', 'instead of that of the persona')
    .addOption(new Option('--family <family>', 'model family').choices(families))
    .option('--template <id>', 'whose framing (default: the first usual one)')
    .option('--view <id>', 'of the template (default: its first)')
    .option('--prompt <words>', 'words in front of the prompt')
    .option(
      '--sheet <slider...>',
      'render a sweep of this slider, from left to right; of a second one from top to bottom',
    )
    .option('--steps <n>', 'positions of each slider on a sheet (default 5)', sheetSteps)
    .option('--seed <n>', 'of a sheet: another seed for all of its pictures', wholeNumber)
    .addHelpText(
      'after',
      examples([
        ['foundry mix aurora', 'as its kit says'],
        ['foundry mix aurora --set mecha=0.2 --finish gloss', 'one slider and the finish changed'],
        ['foundry mix aurora --set creature=0.5 --template full-body', 'half of the way to Creature'],
        ['foundry mix manifests/aurora.yaml --json', 'for a script'],
        ['foundry mix aurora --sheet mecha --draft', 'five positions of one slider side by side, as drafts'],
        ['foundry mix aurora --sheet mecha animal --steps 3 --server http://gpu1:8188', 'nine pictures of two sliders'],
      ]) +
        jsonHelp +
        exitCodeHelp,
    )
    .action(
      host.run<MixFlags, [string]>(async (context, persona) => {
        const isSheet = context.flags.sheet !== undefined
        if (isSheet) return (await import('./mix-sheet.js')).runSheet(context, persona)
        return (await import('./mix-command.js')).runMix(context, persona)
      }),
    )
}
