import { readdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Figures, RunOptions } from './bench.js'

/**
 * `npm run bench [-- name…]`: one file per question, each in a process of its own, one after the other. Prints a table, and JSON
 * with `--json`. Exit 1 when a bar is missed. `--scenario` and `--rounds` are for those that have several, `--seed` for those
 * that go by chance.
 */
const folder = fileURLToPath(new URL('.', import.meta.url))
const { values, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    scenario: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
})

if (values.only !== undefined) {
  const module = (await import(`./${values.only}.js`)) as { run(options: RunOptions): Promise<Figures> }
  process.send?.(
    await module.run({
      scenarios: values.scenario,
      rounds: Math.max(1, Number(values.rounds)),
      seed: Number(values.seed),
    }),
  )
  process.disconnect()
} else {
  const files = (await readdir(folder)).filter(name => name.endsWith('.js') && !['main.js', 'bench.js'].includes(name))
  const names = files.map(name => name.slice(0, -3)).filter(name => asked.length === 0 || asked.includes(name))
  const results: Figures[] = []
  for (const name of names.sort()) {
    const child = fork(fileURLToPath(import.meta.url), ['--only', name, ...process.argv.slice(2)])
    const answered = once(child, 'message') as Promise<[Figures]>
    const ended = once(child, 'exit').then(() => undefined)
    const answer = await Promise.race([answered, ended])
    await ended
    const figures = answer?.[0] ?? { question: name, figures: {}, bar: 'an answer', pass: false }
    results.push(figures)
    if (!values.json) print(figures)
  }
  if (values.json) {
    console.log(JSON.stringify({ node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model, results }, null, 2))
  }
  process.exitCode = results.every(each => each.pass) ? 0 : 1
}

function print({ question, figures, bar, pass }: Figures): void {
  console.log(`${pass ? '✔' : '✘'} ${question}`)
  for (const [name, value] of Object.entries(figures)) console.log(`    ${name.padEnd(36)} ${value}`)
  console.log(`    ${'bar'.padEnd(36)} ${bar}`)
}
