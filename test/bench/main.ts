import { readdir } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Figures } from './bench.js'

/**
 * `npm run bench [-- name…]`: one file per question, each in a process of its own, one after the other. Prints a table, and JSON
 * with `--json`. Exit 1 when a bar is missed.
 */
const folder = fileURLToPath(new URL('.', import.meta.url))
const asked = process.argv.slice(2).filter(each => !each.startsWith('--'))

if (process.argv[2] === '--only') {
  const module = (await import(`./${process.argv[3]}.js`)) as { run(): Promise<Figures> }
  process.send?.(await module.run())
  process.disconnect()
} else {
  const files = (await readdir(folder)).filter(name => name.endsWith('.js') && !['main.js', 'bench.js'].includes(name))
  const names = files.map(name => name.slice(0, -3)).filter(name => asked.length === 0 || asked.includes(name))
  const results: Figures[] = []
  for (const name of names.sort()) {
    const child = fork(fileURLToPath(import.meta.url), ['--only', name])
    const answered = once(child, 'message') as Promise<[Figures]>
    const ended = once(child, 'exit').then(() => undefined)
    const answer = await Promise.race([answered, ended])
    await ended
    const figures = answer?.[0] ?? { question: name, figures: {}, bar: 'an answer', pass: false }
    results.push(figures)
    if (!process.argv.includes('--json')) print(figures)
  }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model, results }, null, 2))
  }
  process.exitCode = results.every(each => each.pass) ? 0 : 1
}

function print({ question, figures, bar, pass }: Figures): void {
  console.log(`${pass ? '✔' : '✘'} ${question}`)
  for (const [name, value] of Object.entries(figures)) console.log(`    ${name.padEnd(36)} ${value}`)
  console.log(`    ${'bar'.padEnd(36)} ${bar}`)
}
