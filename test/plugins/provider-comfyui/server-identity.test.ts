import t from 'tap'
import { compareVersions, readIdentity } from '../../../plugins/provider-comfyui/server-identity.js'

const versions = ['0.3.9', '0.3.45', 'v0.3.76', '0.4.0', '0.12.1', '0.38', '1.0.0-rc1']
t.test('compareVersions compares number by number', async t => {
  for (const [index, version] of versions.entries()) {
    for (const [other, later] of versions.entries()) {
      t.equal(Math.sign(compareVersions(version, later)), Math.sign(index - other), `${version} and ${later}`)
    }
  }
  t.equal(compareVersions('0.4', '0.4.0'), 0)
})

const modes: Record<string, [string, string[], string | undefined]> = {
  'a flag': ['0.12.1', ['main.py', '--cache-none'], 'none'],
  'a flag with a value behind it': ['0.12.1', ['--cache-lru', '5'], 'lru'],
  'a flag with its value': ['0.38.1', ['--cache-ram=4'], 'ram'],
  'the default of older versions': ['0.3.64', ['main.py'], 'classic'],
  'the last default of older versions': ['0.22.0', ['main.py'], 'classic'],
  'the first default of newer versions': ['0.23.0', ['main.py'], 'ram'],
  'the default of newer versions': ['0.38.1', ['main.py'], 'ram'],
  'nothing where it is not known': ['0.22.1', ['main.py'], undefined],
}
for (const [title, [version, argv, mode]] of Object.entries(modes)) {
  t.test(`readIdentity knows how results are cached: ${title}`, async t =>
    t.equal(readIdentity({ system: { comfyui_version: version, argv } }, 'here').cacheMode, mode),
  )
}
