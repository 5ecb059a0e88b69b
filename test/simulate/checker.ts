import type { JobState } from './lane.js'

/** What a farm says of itself at the end. */
export interface Counters {
  jobs: Record<JobState, number>
  attempts: number
  adopted: number
  orphans: number
}

type Settled = 'done' | 'failed' | 'cancelled'

const problemsMax = 20
const isSettled = { '': false, done: true, failed: true, cancelled: true }

/**
 * Follows what a farm says that it does, in records of its own, and says what must never be: the invariants I1, I4, I5 and I6 of
 * `reference/farms-and-engines.md` §6.
 */
export class Checker {
  readonly problems: string[] = []
  private readonly states: ('' | Settled)[] = []
  private readonly numbers: number[] = []
  /** The attempt of each job that counts, 0 for none. */
  private readonly current: number[] = []
  private readonly places: number[]
  private attempts = 0
  private adopted = 0
  private orphans = 0

  constructor(private readonly depths: readonly number[]) {
    this.places = depths.map(() => 0)
  }

  accepted(job: number): void {
    if (this.states[job] !== undefined) this.say(`job ${job} was accepted twice`)
    this.states[job] = ''
    this.numbers[job] = 0
    this.current[job] = 0
  }

  leased(job: number, number: number, server: number): void {
    if (this.isOver(job)) this.say(`job ${job} was leased after its end`)
    if (this.current[job] !== 0) this.say(`job ${job} has two current attempts`)
    if (number <= (this.numbers[job] ?? 0)) this.say(`job ${job}: attempt ${number} came after ${this.numbers[job]}`)
    this.numbers[job] = number
    this.current[job] = number
    this.attempts++
    const places = (this.places[server] ?? 0) + 1
    this.places[server] = places
    if (places > (this.depths[server] ?? 0)) this.say(`server ${server} has ${places} jobs`)
  }

  /** The attempt is over for the farm. */
  ended(job: number, number: number, server: number): void {
    if (this.current[job] !== number) this.say(`job ${job}: attempt ${number} ended while it was not current`)
    this.current[job] = 0
    this.places[server] = (this.places[server] ?? 0) - 1
  }

  settled(job: number, state: Settled): void {
    if (this.isOver(job)) this.say(`job ${job} ended as ${this.states[job]} and as ${state}`)
    if (this.current[job] !== 0) this.say(`job ${job} ended as ${state} with a current attempt`)
    this.states[job] = state
  }

  /** A picture of an attempt that counted no more was taken, or kept aside. */
  late(job: number, number: number, what: 'adopted' | 'orphan'): void {
    if (this.current[job] === number) this.say(`job ${job}: attempt ${number} is current, not late`)
    if (this.isOver(job) !== (what === 'orphan')) this.say(`job ${job}: a late picture of it is told as ${what}`)
    if (what === 'adopted') this.adopted++
    else this.orphans++
  }

  placesOf(server: number): number {
    return this.places[server] ?? 0
  }

  say(problem: string): void {
    if (this.problems.length < problemsMax) this.problems.push(problem)
  }

  /** At the end nothing is open, and the farm has counted alike. */
  close({ jobs, ...counted }: Counters): void {
    const recount = { done: 0, failed: 0, cancelled: 0 }
    this.states.forEach((state, job) => {
      if (state === '') this.say(`job ${job} was lost`)
      else recount[state]++
      if (this.current[job] !== 0) this.say(`job ${job} has an attempt that never ended`)
    })
    this.places.forEach((places, server) => places !== 0 && this.say(`server ${server} still has ${places} jobs`))
    const { attempts, adopted, orphans } = this
    const told = { ...jobs, ...counted }
    const own = { waiting: 0, delayed: 0, running: 0, ...recount, attempts, adopted, orphans }
    for (const [name, count] of Object.entries(own)) {
      const other = told[name as keyof typeof told]
      if (other !== count) this.say(`${name}: the farm counts ${other}, a recount ${count}`)
    }
  }

  private isOver(job: number): boolean {
    return isSettled[this.states[job] ?? '']
  }
}
