import { openConnection, type Times } from '../../../plugins/provider-replicate/connection.js'
import type { ApiGraph, Connection, GraphJob, ServerEntry } from '../../../src/plugins/contract.js'
import { makeHost, makeJob, makeServer } from '../provider-comfyui/make-job.js'
import { FakeReplicate, token } from './fake-replicate.js'

export const flux2 = 'black-forest-labs/flux-2-pro'
export const flux1 = 'black-forest-labs/flux-pro'

/** Times that suit loopback. */
export const quick: Times = {
  retryMsMin: 5,
  retryMsMax: 20,
  pollMs: 10,
  slowPollMs: 20,
  lookMsMax: 300,
  lookEveryMs: 20,
  idleMs: 300_000,
  cancelMsMax: 2000,
}

export function graphOf(model: string, inputs: Record<string, unknown> = {}): ApiGraph {
  const usual = { prompt: 'portrait of mara', seed: 1, output_format: 'png', filename_prefix: '' }
  return { '1': { class_type: `replicate/${model}`, inputs: { ...usual, ...inputs } } }
}

export function hostedJob(more: Partial<GraphJob> = {}): GraphJob {
  const target = { renderer: 'replicate', family: 'flux', workflow: 'hosted' }
  return makeJob({ target, save: ['1'], graph: graphOf(flux2), isSizeKnown: false, ...more })
}

export function openFake(
  url: string,
  entry: Partial<ServerEntry> = {},
  times: Partial<Times> = {},
): Promise<Connection> {
  const server = makeServer(url, { provider: 'replicate', token, timeoutSeconds: 2, ...entry })
  return openConnection(server, makeHost(), { ...quick, ...times })
}

/** A fake service and a connection to it, which end with the test. */
export async function startFake(
  t: { teardown(end: () => Promise<void>): void },
  entry: Partial<ServerEntry> = {},
): Promise<{ fake: FakeReplicate; connection: Connection }> {
  const fake = await FakeReplicate.start()
  const connection = await openFake(fake.url, entry)
  t.teardown(async () => {
    await connection.close()
    await fake.close()
  })
  return { fake, connection }
}
