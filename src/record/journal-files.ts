import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../files/durable.js'
import { encodeFrames, scanFrames } from './journal-frames.js'

// A journal folder holds `<first sequence>.journal` segments, `<last sequence>.snapshot` files and `head`.

const sequenceDigits = 16
const headName = 'head'

/** The first record of every segment. It takes a sequence number of its own: that of the segment's name. */
export interface SegmentHeader {
  format: 'foundry-journal/1'
  epoch: number
  /** The last sequence of the segment before, 0 in the first. */
  previousSequence: number
  /** SHA-256 of all bytes of the segment before, empty in the first. */
  previousHash: string
}

/** Where one part of the journal ends, so that the next can be recognised. */
export interface ChainLink {
  sequence: number
  /** SHA-256 of the segment's bytes. */
  hash: string
}

export const chainStart: ChainLink = { sequence: 0, hash: '' }

export function segmentPath(folder: string, firstSequence: number): string {
  return join(folder, `${pad(firstSequence)}.journal`)
}

export function snapshotPath(folder: string, lastSequence: number): string {
  return join(folder, `${pad(lastSequence)}.snapshot`)
}

/** First sequences of the segments and last sequences of the snapshots, ascending. A missing folder has none. */
export async function listJournal(folder: string): Promise<{ segments: number[]; snapshots: number[] }> {
  let names: string[] = []
  try {
    names = await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return { segments: sequencesOf(names, '.journal'), snapshots: sequencesOf(names, '.snapshot') }
}

/** Notes the newest segment, once it is durable: without this the loss of a whole last segment would go unnoticed. */
export function writeHead(folder: string, firstSequence: number): Promise<void> {
  return replaceFile(join(folder, headName), encodeFrames([JSON.stringify({ segment: firstSequence })], 0))
}

/** The newest segment known to have existed. A missing or damaged note proves nothing and says 0. */
export async function readHead(folder: string): Promise<number> {
  let segment = 0
  await readFrames(join(folder, headName), json => {
    // Written by `writeHead` and checksummed.
    segment = (JSON.parse(json) as { segment: number }).segment
  })
  return segment
}

/** Gives the JSON of each frame of a small file. Answers false when the file is missing or not good to its end. */
export async function readFrames(path: string, visit: (json: string, sequence: number) => void): Promise<boolean> {
  try {
    const handle = await open(path)
    try {
      const end = (await handle.stat()).size
      const { reason } = await scanFrames(handle, {
        end,
        visit({ json, sequence }) {
          visit(json.toString('utf8'), sequence)
          return true
        },
      })
      return reason === undefined
    } finally {
      await handle.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function sequencesOf(names: readonly string[], suffix: string): number[] {
  const pattern = /^(\d{16})(\.[a-z]+)$/
  return names
    .flatMap(name => {
      const [, digits, found] = pattern.exec(name) ?? []
      return digits !== undefined && found === suffix ? [Number(digits)] : []
    })
    .sort((a, b) => a - b)
}

function pad(sequence: number): string {
  return String(sequence).padStart(sequenceDigits, '0')
}
