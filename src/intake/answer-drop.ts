import { unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { FoundryError, type Problem } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'
import { sha256 } from '../files/hash.js'
import { readBounded } from '../files/read-bounded.js'

export const answerEnding = '.problems.json'
const problemsSchemaId = 'problems/1'
/** A file holds at most some 200 problems; what is larger is no answer of ours. */
const answerSizeBytesMax = 1024 * 1024

interface Answer {
  $schema: typeof problemsSchemaId
  /** Name of the drop. */
  drop: string
  /** ISO 8601. */
  answeredAt: string
  problems: readonly Problem[]
}

/** Answers a refused drop where its owner looks: beside it, else in the home's problems folder. An equal answer stays. */
export async function answerDrop(drop: string, problems: readonly Problem[], fallback: string): Promise<void> {
  const beside = `${drop}${answerEnding}`
  const earlier = await readAnswer(beside)
  if (earlier && JSON.stringify(earlier.problems) === JSON.stringify(problems)) return
  const answer: Answer = {
    $schema: problemsSchemaId,
    drop: basename(drop),
    answeredAt: new Date().toISOString(),
    problems,
  }
  const text = `${JSON.stringify(answer, null, 2)}\n`
  try {
    await replaceFile(beside, text)
  } catch (error) {
    if (!(error instanceof FoundryError)) throw error
    // The folder cannot be written: the home keeps the answer.
    await makeFolder(fallback)
    await replaceFile(fallbackFile(drop, fallback), text)
  }
}

/** Takes an answer back once the drop is mended or gone. Files of others are never touched. */
export async function withdrawAnswer(drop: string, fallback: string): Promise<void> {
  for (const path of [`${drop}${answerEnding}`, fallbackFile(drop, fallback)]) {
    if (await readAnswer(path)) await unlink(path).catch(() => undefined)
  }
}

/** Undefined where there is none, or a file of somebody else. */
async function readAnswer(path: string): Promise<Answer | undefined> {
  try {
    const { bytes } = await readBounded(path, { sizeBytesMax: answerSizeBytesMax })
    const value = JSON.parse(bytes.toString('utf8')) as Answer
    return value.$schema === problemsSchemaId ? value : undefined
  } catch {
    return undefined
  }
}

function fallbackFile(drop: string, folder: string): string {
  return join(folder, `${sha256(drop).slice(0, 16)}-${basename(drop)}${answerEnding}`)
}
