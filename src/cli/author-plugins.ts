import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { type Config, isHome } from '../config/config.js'
import { failure } from '../errors.js'
import { type Checked, runChecks } from '../plugins/conformance/checks.js'
import { makeSkeleton, parsePluginName } from '../plugins/make-skeleton.js'
import { checksOf } from '../plugins/test-plugin.js'
import { exitCodes } from './exit-codes.js'
import { counted, type Terminal } from './terminal.js'

/** `foundry plugins init`: into the `plugins/` of the home, or the folder that is named. */
export async function initPlugin(
  { paths }: Config,
  terminal: Terminal,
  { name, to }: { name: string; to: string | undefined },
): Promise<number> {
  const { kind, short } = parsePluginName(name)
  if (to === undefined && !isHome(paths.home)) throw failure('HOME_MISSING', { home: paths.home })
  const folder = to === undefined ? join(paths.plugins, name) : resolve(to)
  const files = await makeSkeleton(name, folder)
  const shown = relative(process.cwd(), folder) || '.'
  terminal.answer({ plugin: name, kind, folder, files })
  terminal.say(`${shown} is a plugin now: ${files.join(', ')}. Next:`)
  if (kind === 'style') terminal.say(`  foundry render manifests/aurora.yaml --set ${short}=0,0.5,1 --draft`)
  terminal.say(`  foundry plugins test ${shown}`)
  return exitCodes.done
}

/** `foundry plugins test`: each check by its name; exit 1 where one fails. */
export async function testPlugin(dir: string, terminal: Terminal, version: string): Promise<number> {
  const folder = resolve(dir)
  if (!existsSync(folder)) throw failure('FILE_UNREADABLE', { file: dir, reason: 'there is no such folder' })
  const checked: Checked[] = []
  for await (const each of runChecks(await checksOf(folder, version))) {
    checked.push(each)
    terminal.say(describe(each, terminal))
  }
  const countOf = (state: Checked['state']) => checked.filter(each => each.state === state).length
  const [passed, failed, skipped] = [countOf('pass'), countOf('fail'), countOf('skip')]
  terminal.answer({ folder, passed, failed, skipped, checks: checked })
  terminal.say(`${counted(passed, 'check')} passed, ${failed} failed, ${skipped} could not be asked`)
  return failed > 0 ? exitCodes.someFailed : exitCodes.done
}

function describe({ name, state, reason }: Checked, { paint }: Terminal): string {
  if (state === 'pass') return `${paint('green', 'pass')} ${name}`
  const word = state === 'fail' ? paint('red', 'fail') : paint('yellow', 'skip')
  return `${word} ${name}\n     ${(reason ?? '').replaceAll('\n', '\n     ')}`
}
