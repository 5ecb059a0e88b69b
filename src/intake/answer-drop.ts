import { readFile, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Problem } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'
import { sha256 } from '../files/hash.js'

export const answerEnding = '.problems.json'
const problemsSchemaId = 'problems/1'

/** Answers a refused drop where its owner looks: beside it, else in the home's problems folder. */
export async function answerDrop(drop: string, problems: readonly Problem[], fallback: string): Promise<void> {
  const answer = { $schema: problemsSchemaId, drop: basename(drop), answeredAt: new Date().toISOString(), problems }
  const text = `${JSON.stringify(answer, null, 2)}\n`
  try {
    await replaceFile(`${drop}${answerEnding}`, text)
  } catch {
    // The folder cannot be written: the home keeps the answer.
    await makeFolder(fallback)
    await replaceFile(fallbackFile(drop, fallback), text)
  }
}

/** Takes an answer back once the drop is mended or gone. Files of others are never touched. */
export async function withdrawAnswer(drop: string, fallback: string): Promise<void> {
  for (const path of [`${drop}${answerEnding}`, fallbackFile(drop, fallback)]) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text?.includes(`"$schema": "${problemsSchemaId}"`)) await unlink(path).catch(() => undefined)
  }
}

function fallbackFile(drop: string, folder: string): string {
  return join(folder, `${sha256(drop).slice(0, 16)}-${basename(drop)}${answerEnding}`)
}
