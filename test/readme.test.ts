import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { packageRoot } from '../src/config/package-root.js'
import { foundry, mainFile } from './cli/foundry.js'
import { plainNode } from './plain-node.js'

/**
 * Every command of README.md is run, in the order in which the page shows them, in one fresh folder. A draft server stands in for the
 * ComfyUI at its default address; npm's own commands are the business of the fresh clone.
 */
const stoppedByHand = /^foundry daemon\b/

async function commandsOf(page: string): Promise<string[]> {
  const text = await readFile(join(packageRoot, page), 'utf8')
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(match => match[1] ?? '')
  return blocks.flatMap(block => block.split('\n')).filter(line => line.trim() !== '')
}

t.test('every command of the README does what it says', async t => {
  const draft = spawn(...plainNode([mainFile, 'draft-server', '--json']), { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => draft.kill('SIGTERM'))
  let text = ''
  for await (const line of createInterface({ input: draft.stdout })) {
    text += line
    if (line === '}') break
  }
  const { url } = JSON.parse(text) as { url: string }
  let folder = t.testdir()
  for (const command of await commandsOf('README.md')) {
    if (command.startsWith('npm ')) {
      const scripts = (
        JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
      ).scripts
      const script = /^npm run (\w+)$/.exec(command)?.[1]
      if (script !== undefined) t.ok(scripts[script], `${command} is a script`)
      continue
    }
    if (command.startsWith('cd ')) {
      folder = join(folder, command.slice(3))
      continue
    }
    const args = command.replaceAll('http://127.0.0.1:8188', url).split(/\s+/)
    t.equal(args.shift(), 'foundry', `${command} is a command of ours`)
    if (stoppedByHand.test(command)) await t.resolves(runUntilReady([...args, '--port', '0'], folder), command)
    else {
      const { code, err } = await foundry(args, { cwd: folder })
      t.equal(code, 0, `${command}\n${err}`)
    }
  }
})

t.test('foundry demo leaves pictures, traces and contact sheets whose paths it prints', async t => {
  const folder = t.testdir()
  const { out: stdout } = await foundry(['demo', join(folder, 'demo')], { cwd: folder })
  for (const [, kind = '', path = ''] of stdout.matchAll(/^ {2}(images|manifest|contact) +(.+)$/gm)) {
    await t.resolves(cp(path, join(folder, 'copy', kind), { recursive: true }), path)
  }
  t.equal([...stdout.matchAll(/^ {2}contact/gm)].length, 2)
})

/** The daemon is asked to stop as soon as it says that it is ready. */
async function runUntilReady(args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(...plainNode([mainFile, ...args]), { cwd, stdio: ['ignore', 'ignore', 'pipe'] })
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('"daemon ready"')) child.kill('SIGTERM')
  }
  if (child.exitCode === null) await once(child, 'exit')
  if (child.exitCode !== 0) throw new RangeError(`the daemon ended with ${child.exitCode}`)
}
