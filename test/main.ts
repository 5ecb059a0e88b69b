import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Parser, type Result } from 'tap-parser'
import { plainNode } from './plain-node.js'

/**
 * `npm test [-- part-of-a-path…]`: every compiled `*.test.js`, each in a plain Node of its own, some at a time. A file that fails
 * prints all that it said. The last line counts assertions; skipped tests are named above it.
 */
interface Counts {
  pass: number
  fail: number
  skipped: string[]
}

interface Outcome extends Counts {
  file: string
  output: string
  tookMs: number
}

const folder = dirname(fileURLToPath(import.meta.url))
const sources = join(folder, '../../test')
const fileLimitMs = 180_000
/** They take the longest, so they begin first; `soak` and `bench` have commands of their own. */
const wholeProgram = ['recovery', 'cli', 'readme', 'daemon']
const elsewhere = /^(soak|bench)\//

const asked = process.argv.slice(2)
const files = (await readdir(folder, { recursive: true }))
  .filter(file => file.endsWith('.test.js') && !elsewhere.test(file))
  .filter(file => asked.length === 0 || asked.some(part => file.includes(part)))
  // What was compiled from a source that is gone stays in the output folder.
  .filter(file => existsSync(join(sources, file.replace(/js$/, 'ts'))))
  .sort((one, other) => rank(one) - rank(other))
const outcomes: Outcome[] = []
const startedAt = Date.now()
const queue = files.values()
await Promise.all(Array.from({ length: Math.min(4, availableParallelism() + 1) }, work))

const skipped = outcomes.flatMap(each => each.skipped)
for (const name of skipped) console.log(`skipped: ${name}`)
const failedFiles = outcomes.filter(each => each.fail > 0).map(each => each.file)
for (const file of failedFiles) console.log(`failed: ${file}`)
const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((total, each) => total + count(each), 0)
const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
console.log(`${files.length} files in ${seconds} s`)
console.log(`${sum(each => each.pass)} passed, ${sum(each => each.fail)} failed, ${skipped.length} skipped`)
process.exitCode = failedFiles.length > 0 || files.length === 0 ? 1 : 0

async function work(): Promise<void> {
  for (const file of queue) {
    const outcome = await runFile(file)
    await removeFixtures(file)
    outcomes.push(outcome)
    const took = `${(outcome.tookMs / 1000).toFixed(1)} s`
    if (outcome.fail === 0) console.log(`ok ${relative('.', file)} (${outcome.pass}, ${took})`)
    else console.log(`${outcome.output}\nnot ok ${file} (${outcome.fail} failed, ${took})`)
  }
}

function runFile(file: string): Promise<Outcome> {
  const began = Date.now()
  const counts: Counts = { pass: 0, fail: 0, skipped: [] }
  const said: Buffer[] = []
  return new Promise((resolve, reject) => {
    // A process group of its own, so that nothing it started stays behind.
    const child = spawn(...plainNode([join(folder, file)]), {
      stdio: ['ignore', 'pipe', 'pipe'],
      // tap removes a test's folder before the test's own teardown has ended what still writes there, so it is told to keep it.
      env: { ...process.env, TAP_TIMEOUT: String(fileLimitMs / 1000), TAP_SAVE_FIXTURE: '1' },
      detached: true,
    })
    const limit = setTimeout(() => endGroup(child.pid), fileLimitMs)
    const parser = count(new Parser(), file, counts)
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk))
    child.stdout.on('data', (chunk: Buffer) => parser.write(chunk))
    child.on('error', reject)
    child.on('close', code => {
      clearTimeout(limit)
      parser.end()
      endGroup(child.pid)
      const isBroken = code !== 0 || counts.pass + counts.fail + counts.skipped.length === 0
      if (isBroken && counts.fail === 0) counts.fail = 1
      const output = Buffer.concat(said).toString()
      resolve({ ...counts, file, output, tookMs: Date.now() - began })
    })
  })
}

/** Counts assertions at every depth; the line that closes a subtest is none. */
function count(parser: Parser, name: string, counts: Counts): Parser {
  let isClosing = false
  parser.on('child', (child: Parser) => {
    isClosing = true
    count(child, `${name} > ${child.name}`, counts)
  })
  parser.on('assert', (result: Result) => {
    const closes = isClosing
    isClosing = false
    if (closes) return
    if (result.skip || result.todo) counts.skipped.push(`${name} > ${result.name}`)
    else if (result.ok) counts.pass++
    else counts.fail++
  })
  return parser
}

/** The folders that tap made for the tests of a file, named after its path. */
async function removeFixtures(file: string): Promise<void> {
  const fixtures = join('.tap', 'fixtures')
  const prefix = relative('.', join(folder, file)).replace(/[^\w.-]+/g, '-')
  for (const name of await readdir(fixtures).catch(() => []))
    if (name.startsWith(prefix)) await rm(join(fixtures, name), { recursive: true, force: true, maxRetries: 3 })
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function rank(file: string): number {
  const place = wholeProgram.findIndex(each => file.startsWith(each))
  return place === -1 ? wholeProgram.length : place
}
