import { failure } from '../errors.js'
import { roundTo } from '../mixing/curves.js'
import type { CommandContext } from './command-context.js'
import { openMix, type MixFlags } from './mix-command.js'
import { render } from './render.js'

const slidersMax = 2
const stepsUsual = 5

/** `foundry mix --sheet`: renders a sweep of one or two sliders as a run, and one picture of all. Answers the exit code. */
export async function runSheet(context: CommandContext<MixFlags>, name: string): Promise<number> {
  const { terminal, flags } = context
  const { sheet = [], steps = stepsUsual, set = {}, server, draft, finish, family, template, prompt, seed } = flags
  checkSheet(flags, sheet)
  const { config, path } = await openMix(context, name)
  if (path === undefined)
    throw failure('USAGE_INVALID', {
      problem: `Of ${name} only a talent is here, and a sheet is a run of a persona kit`,
      next: `write manifests/${name}.yaml with its dot_id and version`,
    })
  const positions = Array.from({ length: steps }, (_, step) => roundTo(step / (steps - 1), 4))
  // The last slider of a sweep changes fastest, and goes across.
  const swept = Object.fromEntries(sheet.toReversed().map(slider => [slider, positions]))
  return render([path], config, terminal, {
    submission: {
      templates: [template ?? config.templates[0] ?? ''],
      set: { ...set, ...swept },
      sheet: true,
      count: 1,
      ...(finish !== undefined && { finish }),
      ...(family !== undefined && { family }),
      ...(prompt !== undefined && { prompt }),
      ...(seed !== undefined && { seed }),
    },
    isVerbose: flags.verbose ?? false,
    ...(draft ? { asksFor: 'draft' as const } : server && { asksFor: 'servers' as const }),
  })
}

function checkSheet({ set = {}, view }: MixFlags, sheet: readonly string[]): void {
  const refuse = (problem: string, next: string) => {
    throw failure('USAGE_INVALID', { problem, next })
  }
  if (sheet.length > slidersMax)
    refuse(
      `--sheet has ${sheet.length} sliders`,
      'name one, or one to go across and one to go down, behind the persona',
    )
  if (new Set(sheet).size < sheet.length) refuse(`--sheet names ${sheet[0]} twice`, 'name each slider once')
  const both = sheet.find(slider => Object.hasOwn(set, slider))
  if (both !== undefined) refuse(`--set and --sheet both name ${both}`, 'leave one of them out')
  if (view !== undefined) refuse('--view is for one mix', 'leave it out: a sheet is made of each view of the template')
}
