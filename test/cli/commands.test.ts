import { spawnSync } from 'node:child_process'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startDraftServer } from '../../plugins/provider-comfyui/draft-server/draft-server.js'
import { createProgram } from '../../src/cli/program.js'
import { foundry, foundryJson, mainFile } from './foundry.js'

/** What `--help` says about a command, in this process: one start of Node serves them all. */
async function helpOf(words: readonly string[]): Promise<string> {
  let said = ''
  const write = process.stdout.write.bind(process.stdout)
  process.stdout.write = (chunk: string | Uint8Array) => {
    said += String(chunk)
    return true
  }
  try {
    await createProgram()(['node', 'foundry', ...words, '--help'])
  } finally {
    process.stdout.write = write
  }
  return said
}

function commandsIn(help: string): string[] {
  const [, list = ''] = /\nCommands:\n([^]*?)(?:\n\n|$)/.exec(help) ?? []
  const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)].flatMap(([, name]) => name ?? [])
  return names.filter(name => name !== 'help')
}

t.test('every command explains itself with an example that parses', async t => {
  const top = commandsIn(await helpOf([]))
  t.strictSame(top.slice(0, 3), ['render', 'plan', 'avatars'])
  const all = [[], ...top.map(name => [name])]
  for (const name of ['runs', 'talents', 'servers'])
    all.push(...commandsIn(await helpOf([name])).map(inner => [name, inner]))
  t.equal(all.length, 1 + top.length + 11 + 9 + 7)
  for (const words of all) {
    const help = await helpOf(words)
    const [, examples = ''] = /\nExamples:\n([^]*)/.exec(help) ?? []
    const shown = examples.split('\n').filter(line => /^ {2}\S/.test(line))
    t.ok(shown.length > 0, `${words.join(' ') || 'foundry'} has an example`)
    for (const line of shown) {
      t.match(line, /foundry/, line)
      const options = [...line.matchAll(/ (--[a-z-]+)/g)].flatMap(([, option]) => option ?? [])
      for (const option of options) t.ok(help.includes(option), `${words.join(' ')} knows ${option}`)
    }
  }
})

/** A folder for `PATH` in which `foundry` is this program. */
async function makeBin(folder: string): Promise<string> {
  const command = join(folder, 'foundry')
  await writeFile(command, `#!/bin/sh\nunset NODE_OPTIONS\nexec ${process.execPath} ${mainFile} "$@"\n`)
  await chmod(command, 0o755)
  return `${folder}:${process.env['PATH']}`
}

const homeWithRuns = {
  'foundry.yaml': '',
  manifests: {},
  runs: { 'README.md': '', 'aurora-0123456789': {}, 'aurora-9876543210': {}, 'bruno-0123456789': {} },
}

t.test('completion of bash, in a bash', async t => {
  const dir = t.testdir({ bin: {}, home: homeWithRuns, other: {} })
  const PATH = await makeBin(join(dir, 'bin'))
  await writeFile(join(dir, 'foundry.bash'), (await foundry(['completion', 'bash'], { cwd: dir })).out)
  let cwd = join(dir, 'other')
  const complete = (...words: string[]) => {
    const script = `source ${join(dir, 'foundry.bash')}
      COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=$((${words.length} - 1)); _foundry; echo "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
      encoding: 'utf8',
      cwd,
      env: { ...process.env, PATH, FOUNDRY_HOME: '' },
    })
    t.equal(stderr, '')
    return stdout.trim()
  }
  t.equal(complete('foundry', 'ren'), 'render')
  t.equal(complete('foundry', 'runs', 'sh'), 'show')
  t.equal(complete('foundry', '--json', 'runs', 'prune', '--d'), '--days --dry-run')
  t.equal(complete('foundry', 'render', '--temp'), '--templates')
  t.equal(complete('foundry', 'help', 'doc'), 'doctor')

  t.equal(complete('foundry', '--home', '../home', 'ver'), 'verify', 'behind a home')
  t.equal(complete('foundry', 'render', '--server', 'http', ':', '//gpu1', ':', '8188', '--fam'), '--family')
  t.equal(complete('foundry', 'runs', 'list', '--state', 'f'), 'failed')
  t.equal(complete('foundry', 'runs', 'list', '--state', '=', 'f'), 'failed', 'as bash splits --state=f')
  t.equal(complete('foundry', 'runs', 'prune', '--state', 'w'), '', 'waiting runs cannot be pruned')
  t.equal(complete('foundry', 'render', '--family', 'sd'), 'sd15 sdxl sd3')
  t.equal(complete('foundry', 'render', '--templates', 'hero'), 'hero-portrait')
  t.equal(complete('foundry', 'render', '--templates', 'backdrop,fu'), 'backdrop,full-body')
  t.equal(complete('foundry', 'render', '--workflow', 'sd15'), 'sd15-text')
  t.equal(complete('foundry', 'schema', 'persona-k'), 'persona-kit/1')
  t.equal(complete('foundry', 'talents', 'show', 'avatar.style.me'), 'avatar.style.mecha')
  t.equal(complete('foundry', 'render', ''), '', 'files are completed by bash itself')
  t.equal(complete('foundry', 'verify', ''), '', 'no home, no runs')
  t.equal(complete('foundry', '--home', '../home', 'verify', 'au'), 'aurora-0123456789 aurora-9876543210')
  t.equal(complete('foundry', '--home', '=', '../home', 'verify', 'bru'), 'bruno-0123456789')
  cwd = join(dir, 'home/manifests')
  for (const command of ['show', 'events', 'priority', 'pause', 'resume', 'approve', 'cancel', 'retry', 'rm'])
    t.equal(complete('foundry', 'runs', command, 'br'), 'bruno-0123456789', `runs ${command}, below the home`)
  t.equal(complete('foundry', 'runs', 'show', 'bruno-0123456789', 'a'), '', 'one run is enough')

  const { code, out: fish } = await foundry(['completion', 'fish'], { cwd: dir })
  t.equal(code, 0)
  for (const line of [
    `-n "__foundry_at '' '0'" -a render -d`,
    `-n "__foundry_at 'runs show' '0'" -f -a '(__foundry_runs)'`,
    `-n "__foundry_at 'runs list' '[0-9]+'" -l state -x -a 'waiting`,
    `-n "__foundry_at 'render' '[0-9]+'" -F`,
    `-l templates -x -a '(__fish_append , backdrop character-sheet expression-grid full-body hero-portrait)'`,
  ])
    t.ok(
      fish.includes(
        `complete -c foundry ${line.startsWith('-l') ? `-n "__foundry_at 'render' '[0-9]+'" ${line}` : line}`,
      ),
      line,
    )
  t.match(await foundry(['completion', 'tcsh'], { cwd: dir }), { code: 2, err: /bash, zsh, fish/ })
})

/** Types lines with a TAB behind each into a zsh on a terminal of its own, and shows what stands there then. */
const zshScript = `
zmodload zsh/zpty
zpty shell zsh -f
zpty -w shell "bindkey -e; unset zle_bracketed_paste; PS1=; PS2=; $LOAD; print is''-ready"
zpty -r shell said '*is-ready*'
for line in "$@"; do
  zpty -w -n shell "$line"$'\\t\\x01print -r -- completed: \\x05 :end\\n'
  zpty -r shell said $'*\\ncompleted: *:end*'
  print -r -- "\${\${said##*$'\\n'completed: }%%:end*}"
done
zpty -d shell
`

/** What stands on the line after each TAB; nothing when the zsh does not answer. */
const typeInZsh = (LOAD: string, typed: readonly string[], cwd: string, PATH = process.env.PATH, timeout = 60_000) => {
  const env = { ...process.env, PATH, LOAD, HOME: cwd, TERM: 'dumb' }
  const shell = spawnSync('zsh', ['-f', '-c', zshScript, 'zsh', ...typed], { encoding: 'utf8', env, cwd, timeout })
  const lines = (shell.stdout ?? '').split('\n').map(line => line.trim())
  return { lines: lines.filter(Boolean), stderr: shell.stderr }
}

/** Some machines have no zsh, or none that answers on a terminal of its own. */
const hasZsh = () => {
  const load = 'autoload -Uz compinit; compinit -u -D; _probe() { compadd answered }; compdef _probe probe'
  return typeInZsh(load, ['probe ans'], tmpdir(), process.env.PATH, 15_000).lines[0] === 'probe answered'
}

t.test(
  'completion of zsh, in a zsh',
  { skip: !hasZsh() && 'there is no zsh that answers on a terminal here' },
  async t => {
    const dir = t.testdir({ bin: {}, fpath: {}, 'manifest.yaml': '', home: homeWithRuns })
    const PATH = await makeBin(join(dir, 'bin'))
    const { out } = await foundry(['completion', 'zsh'], { cwd: dir })
    await writeFile(join(dir, 'fpath/_foundry'), out)
    const typed: Record<string, string> = {
      'foundry ren': 'foundry render',
      'foundry runs sh': 'foundry runs show',
      'foundry --json runs prune --da': 'foundry --json runs prune --days',
      'foundry render --temp': 'foundry render --templates',
      'foundry help doc': 'foundry help doctor',
      'foundry render mani': 'foundry render manifest.yaml',
      'foundry --home home ver': 'foundry --home home verify',
      'foundry --home home verify br': 'foundry --home home verify bruno-0123456789',
      'foundry --home=home runs show br': 'foundry --home=home runs show bruno-0123456789',
      'foundry runs list --state fai': 'foundry runs list --state failed',
      'foundry runs --state=fai': 'foundry runs --state=failed',
      'foundry render --templates backdrop,hero': 'foundry render --templates backdrop,hero-portrait',
      'foundry render --workflow sd15': 'foundry render --workflow sd15-text',
      'foundry schema persona-k': 'foundry schema persona-kit/1',
    }
    const loads = {
      sourced: 'source <(foundry completion zsh)',
      'sourced after compinit': 'autoload -Uz compinit; compinit -u -D; source <(foundry completion zsh)',
      'found in fpath': `fpath=(${join(dir, 'fpath')} $fpath); autoload -Uz compinit; compinit -u -D`,
    }
    for (const [title, LOAD] of Object.entries(loads)) {
      const { lines, stderr } = typeInZsh(LOAD, Object.keys(typed), dir, PATH)
      t.equal(stderr, '', title)
      t.strictSame(lines, Object.values(typed), title)
    }
  },
)

t.test('a word that is not known is answered with the one that was meant', async t => {
  const dir = t.testdir({ 'foundry.yaml': '' })
  const cases: Record<string, [words: string[], meant: RegExp]> = {
    'a command': [['rendr'], /Did you mean render/],
    'an option': [['render', '--tempaltes', 'x', 'y'], /Did you mean --templates/],
    'a subcommand': [['runs', 'lst'], /Did you mean list/],
    'a schema': [['schema', 'persna-kit'], /did you mean "persona-kit"/],
    'nothing at all': [[], /A command is missing/],
  }
  for (const [title, [words, meant]] of Object.entries(cases)) {
    const { code, out, err } = await foundry([...words, '--json'], { cwd: dir })
    t.match(JSON.parse(out), { error: { code: 'USAGE_INVALID', message: meant } }, title)
    t.match({ code, err }, { code: 2, err: '' }, title)
  }
  t.match(await foundry(['rendr'], { cwd: dir }), { code: 2, out: '', err: /unknown command 'rendr'/ })
})

t.test('init makes a home, completes one, and leaves other folders alone', async t => {
  const dir = t.testdir({ full: { 'my.txt': 'mine' }, hidden: { '.git': {} }, file: 'text' })
  const call = { cwd: dir }
  t.match(await foundry(['init', 'new'], call), {
    code: 0,
    out: /is a home now.*\n.*cd .*new\n.*render manifests\/aurora/,
  })
  await writeFile(join(dir, 'new/manifests/aurora.yaml'), 'mine')
  t.match(await foundryJson(['init', 'new'], call), { code: 0, answer: { isNew: false, added: [] } })
  t.match(await foundry(['init', 'new'], call), { code: 0, out: /was a home already: nothing was missing/ })
  await rm(join(dir, 'new/talents'), { recursive: true })
  await rm(join(dir, 'new/workflows/sd15-text.json'))
  t.match(await foundry(['init', 'new'], call), {
    out: /home already: added\n {2}talents\/\n {2}workflows\/sd15-text\.json\nNext:/,
  })
  t.equal(await readFile(join(dir, 'new/manifests/aurora.yaml'), 'utf8'), 'mine', 'nothing of the user’s is replaced')
  t.match(await foundry(['init', 'full'], call), { code: 2, err: /not empty/ })
  t.same(await readdir(join(dir, 'full')), ['my.txt'])
  t.match(await foundry(['init', 'file'], call), { code: 2, err: /not a folder/ })
  t.match(await foundry(['init', 'hidden', '--empty'], call), { code: 0 })
  t.notOk((await readdir(join(dir, 'hidden/manifests'))).includes('aurora.yaml'))

  const home = { cwd: join(dir, 'hidden/runs') }
  t.match(await foundryJson(['talents', 'list'], home), { code: 0, answer: { talents: [] } }, 'found from below')
  const shipped = { cwd: join(dir, 'new') }
  t.match(await foundry(['talents', 'list'], shipped), { code: 0, out: /avatar\.style\.mecha +sd15 +rank \d+ +weight/ })
  t.match(await foundry(['talents', 'show', 'avatar.style.mecha'], shipped), { code: 0, out: /\(draft\)/ })
  t.match(await foundry(['talents', 'show', 'avatar.style.mech'], shipped), { code: 2, err: /avatar\.style\.mecha/ })
  t.match(await foundry(['talents', 'validate'], shipped), {
    code: 0,
    out: /5 of 5 kits can be used, 5 of them drafts only\n/,
  })
  t.match(await foundry(['talents', 'validate', 'gone'], shipped), {
    code: 2,
    err: /gone cannot be read.*no such folder/,
  })
  t.match(await foundry(['talents', 'validate', 'foundry.yaml'], shipped), { code: 2, err: /it is not a folder/ })
  const index = await foundryJson<{ id: string }[]>(['talents', 'index'], shipped)
  t.equal(index.answer.length, 5)
  await writeFile(join(dir, 'new/talents/avatar/avatar.style.mecha/weights.safetensors'), 'placeholder')
  t.match(await foundry(['talents', 'validate'], shipped), {
    code: 1,
    out: /4 of 5/,
    err: /error .*avatar\.style\.mecha/,
  })
  const sick = await foundryJson(['doctor', '--draft'], shipped)
  t.match(sick, { code: 1, answer: { ok: false } }, JSON.stringify(sick))
  const none = await foundry(['doctor', '--server', 'http://127.0.0.1:9'], { cwd: join(dir, 'hidden') })
  t.match(none, {
    code: 1,
    out: /✘ server server-1 \(http:\/\/127\.0\.0\.1:9\S*\): did not answer .*\n.*start ComfyUI.*--draft/,
  })
  t.match(
    (await foundry(['doctor', '--draft'], shipped)).out,
    /talents: 4 of 5 kits can be used, 4 of them drafts only\n/,
  )
})

t.test('doctor says per workflow what a server lacks, and is content with one that can run', async t => {
  const dir = t.testdir({})
  t.match(await foundry(['init', 'home'], { cwd: dir }), { code: 0 })
  const call = { cwd: join(dir, 'home') }
  const serve = async (checkpoints: string[]) => {
    const models = { checkpoints: Object.fromEntries(checkpoints.map(name => [name, { sizeBytes: 1000 }])) }
    const server = await startDraftServer({ isDisguised: true, models })
    t.teardown(() => server.close())
    return server.url
  }
  const [bare, own] = await Promise.all([serve([]), serve(['sd_xl_base_1.0.safetensors'])])
  const none = await foundry(['doctor', '--server', bare], call)
  t.equal(none.code, 1, none.out)
  for (const said of [
    /! workflow sd15-text on \S+: Node \d+ .*\(CheckpointLoaderSimple\).* no "v1-5-.*copy that file to models\/checkpoints there/,
    /! workflow flux-text on [^]*models\/diffusion_models there[^]*models\/text_encoders there[^]*models\/vae there/,
    /✘ workflows: none can run on any server/,
    /! draft talents: .*avatar\.style\.mecha.*no real server is ever sent/,
  ])
    t.match(none.out, said)
  t.match(await foundryJson(['doctor', '--server', bare], call), { code: 1, answer: { ok: false } })

  const one = await foundry(['doctor', '--server', bare, '--server', own], call)
  t.match(one, { code: 0, out: /✔ workflow sdxl-text on \S+: can run/ }, one.out)
  t.equal(one.out.match(/draft talents/g)?.length, 1)
  t.notMatch((await foundry(['doctor', '--draft'], call)).out, /draft talents|can run/)
})

t.test('doctor warns of limits whose names nothing bears', async t => {
  const dir = t.testdir({})
  await foundry(['init', 'home'], { cwd: dir })
  const call = { cwd: join(dir, 'home') }
  const limits = { sd15: 1, 'sd15-text': 2, 'avatar.style.mecha': 1, sd51: 1 }
  const servers = [{ name: 'draft', url: 'draft', limits: { sdxl: 0, 'nobody-knows-it': 1 } }]
  await writeFile(join(call.cwd, 'foundry.yaml'), JSON.stringify({ limits, servers }))
  const { code, out } = await foundry(['doctor'], call)
  t.equal(code, 0, out)
  t.match(out, /! limits: nothing is named "sd51", did you mean "sd15"\?\n/)
  t.match(out, /! limits of draft: nothing is named "nobody-knows-it"\n/)
  t.equal(out.match(/nothing is named/g)?.length, 2)
})

t.test('schemas for editors, with and without their version', async t => {
  const call = { cwd: t.testdir({}) }
  const { answer: names } = await foundryJson<string[]>(['schema'], call)
  t.ok(names.includes('persona-kit/1'))
  const [plain, exact] = await Promise.all(
    ['config', 'config/1'].map(name => foundryJson<{ $id: string }>(['schema', name], call)),
  )
  t.match(plain, { code: 0, answer: { $id: 'config/1' } })
  t.same(plain?.answer, exact?.answer)
})

t.test('the demo ends with what to look at and what to type for a real server', async t => {
  const dir = t.testdir({})
  const { code, out } = await foundry(['demo', 'demo'], { cwd: dir })
  t.equal(code, 0)
  t.match(out, /✔ aurora-.*2 of 2 rendered\n {2}images .*\n {2}manifest .*manifest\.json\n {2}contact .*\.webp/)
  t.match(out, /✔ run-20260114-101500-.*3 of 3 rendered/)
  t.match(out, /trace\.json[^]*npx foundry render demo\/manifests\/aurora\.yaml --home demo --server http/)
})
