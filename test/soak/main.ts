import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Runs every script beside this one, one after the other, each with the seed and the minutes given: `npm run soak [-- SEED [MINUTES]]`,
 * or those whose names are given: `npm run soak -- 7 10 kill network`.
 */
const here = fileURLToPath(import.meta.url)
const folder = dirname(here)
const helper = 'begin.js'
const [asked, args] = [process.argv.slice(4), process.argv.slice(2, 4)]
const scripts = readdirSync(folder)
  .filter(name => name.endsWith('.js') && name !== helper && join(folder, name) !== here)
  .filter(name => asked.length === 0 || asked.includes(name.slice(0, -'.js'.length)))
for (const script of scripts.sort()) {
  const begin = performance.now()
  const child = spawn(process.execPath, [join(folder, script), ...args], { stdio: 'inherit' })
  const [code] = (await once(child, 'close')) as [number | null]
  console.log(`${script} ended with ${code ?? 'a signal'} after ${Math.round((performance.now() - begin) / 1000)} s`)
  if (code !== 0) process.exitCode = 1
}
