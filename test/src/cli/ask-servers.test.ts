import t from 'tap'
import { describeServers } from '../../../src/cli/ask-servers.js'
import { server } from '../../../src/config/server-entry.js'
import { describeServer } from '../../../src/farm/describe-server.js'
import { Fitness } from '../../../src/farm/fitness.js'
import type { Presence } from '../../../src/farm/presence.js'

/** What of a server's presence is told. */
const there = (state: Presence['state']) => ({ state, reason: undefined, probe: undefined }) as Presence

t.test('a server that rests after failures is told as resting, with until when', async t => {
  const entry = server({ name: 'gpu1', url: 'http://127.0.0.1:8188' })
  const fitness = new Fitness(entry)
  const told = (state: Presence['state']) =>
    describeServer(entry, {
      ...{ presence: there(state), fitness, avoided: undefined, renderer: 'comfyui', loaded: undefined, jobs: [] },
      ...{ speeds: {}, rendered: 12, failed: 3 },
    })
  t.match(describeServers([told('ready')]), /gpu1 +ready +comfyui +\d+ +12 rendered, 3 failed +http/)
  for (const job of ['a', 'b', 'c']) fitness.blame(job, 'CUDA is gone', true)
  const { restsUntil = '' } = told('ready')
  const restMs = Date.parse(restsUntil) - Date.now()
  t.ok(restMs > 20_000 && restMs <= 30_100, `${restMs} ms`)
  t.match(describeServers([told('ready')]), /gpu1 +resting until \d\d:\d\d:\d\d +comfyui/)
  t.match(describeServers([told('unreachable')]), /gpu1 +unreachable /)
  fitness.mode = 'paused'
  t.match(describeServers([told('ready')]), /gpu1 +resting until \d\d:\d\d:\d\d, paused /)
})
