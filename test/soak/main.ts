import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Runs every script beside this one, one after the other, each with the seed given: `npm run soak [-- SEED]`. */
const here = fileURLToPath(import.meta.url)
const folder = dirname(here)
const scripts = readdirSync(folder).filter(name => name.endsWith('.js') && join(folder, name) !== here)
for (const script of scripts.sort()) {
  const begin = performance.now()
  const child = spawn(process.execPath, [join(folder, script), ...process.argv.slice(2)], { stdio: 'inherit' })
  const [code] = (await once(child, 'close')) as [number | null]
  console.log(`${script} ended with ${code ?? 'a signal'} after ${Math.round((performance.now() - begin) / 1000)} s`)
  if (code !== 0) process.exitCode = 1
}
