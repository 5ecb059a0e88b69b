import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Soak {
  /** The first argument; by the clock without one. */
  seed: number
  /** The second argument: how long what lasts for a time shall last. */
  minutes: number
  /** A folder for one round. */
  place(name: string): string
  /** Prints figures as one JSON line. The folder of a round that went well is removed; any other stays, to be looked at. */
  tell(round: string, isGood: boolean, facts: object): void
  end(): void
}

const minutesDefault = 10

/** One script of `npm run soak`. */
export function beginSoak(soak: string): Soak {
  const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
  const folder = mkdtempSync(join(tmpdir(), 'foundry-soak-'))
  let isAllGood = true
  const place = (name: string) => join(folder, name.replaceAll(/\W+/g, '-'))
  return {
    seed,
    minutes: Number(process.argv[3] ?? minutesDefault),
    place(name) {
      mkdirSync(place(name), { recursive: true })
      return place(name)
    },
    tell(round, isGood, facts) {
      console.log(JSON.stringify({ soak, round, seed, isGood, ...facts }))
      if (isGood) rmSync(place(round), { recursive: true, force: true })
      else isAllGood = false
    },
    end() {
      if (isAllGood) rmSync(folder, { recursive: true, force: true })
      else {
        console.log(JSON.stringify({ soak, seed, folder }))
        process.exitCode = 1
      }
    },
  }
}
