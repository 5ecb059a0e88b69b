import { strict as assert } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import { openConnection, type Times } from '../../../plugins/provider-comfyui/connection.js'
import type { Connection, RenderFailure, ServerEntry } from '../../../src/plugins/contract.js'
import { makeHost, makeServer } from './make-job.js'
import { ScriptedServer } from './scripted-server.js'

/** Times that suit loopback. */
export const quick: Times = {
  pollMs: 200,
  pollMsMin: 20,
  lostMs: 60,
  historyRetryMs: 10,
  firstStatusMs: 300,
  reconnectMsMin: 5,
  stableMs: 0,
  graceMs: 1000,
}

export interface Started {
  server: ScriptedServer
  connection: Connection
}

interface Options {
  times?: Times
  entry?: Partial<ServerEntry>
}

/** A scripted server and a connection to it, for the length of a test. */
export async function startConnection(
  test: { teardown(undo: () => Promise<void>): void },
  { times = quick, entry = {} }: Options = {},
): Promise<Started> {
  const server = await ScriptedServer.start()
  const connection = await openConnection(makeServer(server.url, entry), makeHost(), times)
  test.teardown(async () => {
    await connection.close()
    await server.stop()
  })
  return { server, connection }
}

/** The failure that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<RenderFailure> {
  try {
    await promise
  } catch (thrown) {
    return thrown as RenderFailure
  }
  return assert.fail('nothing was thrown')
}

const conditionMsMax = 5000

export async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < conditionMsMax; waitedMs += 5) {
    if (condition()) return
    await sleep(5)
  }
  assert.fail('the awaited condition did not come about')
}
