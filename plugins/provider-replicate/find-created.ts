import { setTimeout as sleep } from 'node:timers/promises'
import { hashJson, referenceIn, RenderFailure } from '../../src/plugins/contract.js'
import type { Client } from './client.js'
import { failureOfRead } from './failures.js'
import { parseJson, parsePrediction, type Prediction, recordOf } from './prediction.js'

/** Clocks may differ by so much. */
const clockSlackMs = 60_000
const pagesMax = 20

/** What is looked for, and for how long: a prediction may be listed some seconds after it was taken. */
export interface Search {
  model: string
  /** With reference pictures by their logical names. */
  input: Readonly<Record<string, unknown>>
  /** Whether what the service tells in place of a reference picture is the one of this hash. */
  isSame(told: unknown, sha256: string, signal: AbortSignal): Promise<boolean>
  /** Milliseconds since the epoch. */
  since: number
  lookMsMax: number
  lookEveryMs: number
  /** Whether another attempt has it. */
  isTaken(id: string): boolean
}

/** The prediction with this input that no other attempt has, the oldest of several; undefined where there is none. */
export async function findCreated(
  client: Client,
  search: Search,
  signal: AbortSignal,
): Promise<Prediction | undefined> {
  const until = performance.now() + search.lookMsMax
  for (;;) {
    const found = await lookOnce(client, search, signal)
    if (found || performance.now() >= until) return found
    await sleep(search.lookEveryMs, undefined, { signal }).catch(() => {
      throw new RenderFailure('unreachable', 'The search was stopped')
    })
  }
}

async function lookOnce(client: Client, search: Search, signal: AbortSignal): Promise<Prediction | undefined> {
  const after = new Date(search.since - clockSlackMs)
  let query: string | undefined = `created_after=${encodeURIComponent(after.toISOString())}`
  let found: Prediction | undefined
  for (let page = 0; query !== undefined && page < pagesMax; page++) {
    const answer = await client.get(`/predictions?${query}`, { signal })
    if (answer.status !== 200) throw failureOfRead(client, answer)
    const { results, next } = recordOf(parseJson(answer.bytes))
    const listed = (Array.isArray(results) ? results : []).flatMap(each => parsePrediction(each) ?? [])
    // Newest first: the last one that fits is the oldest.
    for (const each of listed.reverse()) {
      if (!isIt(each, search, after.getTime()) || !(await hasSamePictures(each, search, signal))) continue
      found = each
      break
    }
    query = queryOf(next)
  }
  return found
}

function isIt(prediction: Prediction, { model, input, isTaken }: Search, after: number): boolean {
  if (prediction.model !== model || isTaken(prediction.id) || prediction.createdAt < after) return false
  // The service may list defaults beside what it was sent.
  const plain = Object.entries(input).filter(([, value]) => picturesIn(value).length === 0)
  const told = Object.fromEntries(plain.map(([field]) => [field, prediction.input[field] ?? null]))
  return hashJson(told) === hashJson(Object.fromEntries(plain))
}

async function hasSamePictures(
  prediction: Prediction,
  { input, isSame }: Search,
  signal: AbortSignal,
): Promise<boolean> {
  for (const [field, value] of Object.entries(input)) {
    const wanted = picturesIn(value)
    const told = wanted.length === 0 ? [] : [prediction.input[field] ?? []].flat()
    if (told.length !== wanted.length) return false
    for (const [at, sha256] of wanted.entries()) if (!(await isSame(told[at], sha256, signal))) return false
  }
  return true
}

/** The SHA-256 of the reference pictures that an input names. */
function picturesIn(value: unknown): string[] {
  return [value].flat().flatMap(each => referenceIn(each) ?? [])
}

/** Of the address of a next page only its query is used: the key never goes where an answer points. */
function queryOf(next: unknown): string | undefined {
  if (typeof next !== 'string' || !URL.canParse(next)) return undefined
  return new URL(next).search.slice(1) || undefined
}
