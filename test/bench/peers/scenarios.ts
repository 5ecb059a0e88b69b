import type { Faults } from '../../../plugins/provider-comfyui/draft-server/options.js'

/** One race: the same jobs on the same servers for everybody. */
export interface Scenario {
  name: string
  says: string
  jobs: number
  /** How many times longer each server takes for a job. */
  slowness: readonly number[]
  jobMs: number
  /** Different LoRAs, shuffled over the jobs; 0: none at all. */
  loras: number
  loraLoadMs: number
  faults: Partial<Faults>
  /** One server is killed while it renders. */
  kills: boolean
  /** Bars for ours; without a ratio it is a fault, where only the end counts. */
  ratioMax: number | undefined
  switchesMax: number | undefined
  /** Jobs before the clock runs, where times are compared; the usual many where absent. */
  warmUpJobs?: number
}

/** One unit of work. */
export interface RaceJob {
  id: number
  lora: number | undefined
}

/** What every picture measures: small, so that two cores carry the farm and its client. */
export const pictureSize = { width: 128, height: 192 } as const

const even = (servers: number) => Array.from({ length: servers }, () => 1)
const plain = { jobMs: 200, loras: 0, loraLoadMs: 0, faults: {}, kills: false, ratioMax: 1.05, switchesMax: undefined }
const fault = { ...plain, ratioMax: undefined }

export const scenarios: readonly Scenario[] = [
  {
    ...plain,
    name: 'A',
    says: '8 servers, 240 jobs of 200 ms, 12 LoRAs shuffled, 800 ms a switch',
    jobs: 240,
    slowness: even(8),
    loras: 12,
    loraLoadMs: 800,
    ratioMax: 1.15,
    switchesMax: 20,
  },
  { ...plain, name: 'B', says: '8 servers, 800 jobs of 40 ms', jobs: 800, slowness: even(8), jobMs: 40 },
  {
    ...plain,
    name: 'C',
    says: '8 servers of ×1 1 1 1 2 2 3 4 the time, 240 jobs of 200 ms',
    jobs: 240,
    slowness: [1, 1, 1, 1, 2, 2, 3, 4],
  },
  { ...plain, name: 'D', says: '64 servers, 3,200 jobs of 200 ms', jobs: 3200, slowness: even(64) },
  {
    ...fault,
    name: 'memory',
    says: '10 % of attempts run out of memory, 4 servers, 160 jobs',
    jobs: 160,
    slowness: even(4),
    faults: { failRate: 0.1, failWith: 'out-of-memory' },
  },
  {
    ...fault,
    name: 'post',
    says: 'a submitted job is answered after 6 s, 3 servers, 6 jobs',
    jobs: 6,
    slowness: even(3),
    faults: { postDelayMs: 6000 },
  },
  {
    ...fault,
    name: 'kill',
    says: '1 of 4 servers is killed while it renders, 80 jobs',
    jobs: 80,
    slowness: even(4),
    kills: true,
  },
]

/** The jobs of a scenario, the same for everybody: every LoRA equally often, in an order drawn once. */
export function jobsOf({ jobs, loras }: Scenario): RaceJob[] {
  const list = Array.from({ length: jobs }, (_, id) => (loras === 0 ? undefined : id % loras))
  let state = 12345
  for (let at = list.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const other = Math.floor((state / 2 ** 32) * (at + 1))
    ;[list[at], list[other]] = [list[other], list[at]]
  }
  return list.map((lora, id) => ({ id, lora }))
}
