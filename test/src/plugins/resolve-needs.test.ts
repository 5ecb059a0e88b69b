import t from 'tap'
import { type Needing, resolveNeeds } from '../../../src/plugins/resolve-needs.js'

const plugin = (name: string, needs: Record<string, string> = {}, version?: string): Needing => ({
  name,
  file: `plugins/${name}`,
  needs,
  ...(version !== undefined && { version }),
})
const told = (plugins: Needing[]) => {
  const { order, problems } = resolveNeeds(plugins, '0.1.0')
  return { order, problems: problems.map(({ file, code, found }) => `${file} ${code} ${found}`) }
}

t.test('resolveNeeds puts each behind what it needs', t => {
  const { order, problems } = told([
    plugin('a', { c: '*', b: '^1.0.0' }),
    plugin('b', { c: '*' }, '1.1.0'),
    plugin('c'),
  ])
  t.strictSame(order, ['c', 'b', 'a'])
  t.strictSame(problems, [])
  t.end()
})

t.test('resolveNeeds tells everything that is missing, unfit, circular or left out at once', t => {
  const { order, problems } = told([
    plugin('a', { absent: '*', foundry: '^2.0.0' }),
    plugin('b', { a: '*' }),
    plugin('c', { d: '*' }),
    plugin('d', { e: '*' }),
    plugin('e', { c: '*' }),
    plugin('f', { c: '*', g: '^2.0.0' }),
    plugin('g', {}, '1.0.0'),
    plugin('h', { g: 'newest' }),
    plugin('i', { j: '^1.0.0' }),
    plugin('j'),
  ])
  t.strictSame(order, ['g', 'j'])
  t.strictSame(problems.sort(), [
    'plugins/a PLUGIN_NEED_MISSING absent',
    'plugins/a PLUGIN_NEED_UNFIT foundry 0.1.0',
    'plugins/b PLUGIN_NEED_LEFT_OUT a',
    'plugins/c PLUGIN_NEEDS_CIRCLE c → d → e → c',
    'plugins/d PLUGIN_NEEDS_CIRCLE c → d → e → c',
    'plugins/e PLUGIN_NEEDS_CIRCLE c → d → e → c',
    'plugins/f PLUGIN_NEED_UNFIT g 1.0.0',
    'plugins/h PLUGIN_RANGE_INVALID newest',
    'plugins/i PLUGIN_NEED_UNFIT j without a version',
  ])
  t.end()
})
