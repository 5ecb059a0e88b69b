import { createEventHub } from '../api/events.js'
import { watchDelay } from '../api/metrics.js'
import { checkAddress, createApi } from '../api/server.js'
import type { OpenFoundry } from '../daemon.js'
import { listen } from './listen.js'

const served = new WeakSet<OpenFoundry>()

/** Lets workers on other machines ask a command, while it owns the home. */
export async function serveWorkers(open: OpenFoundry): Promise<void> {
  if (served.has(open)) return
  served.add(open)
  const { foundry } = open
  const { host, token } = foundry.config.api
  checkAddress(host, token)
  const delay = watchDelay()
  const events = createEventHub(foundry.ledger)
  const api = await createApi({ foundry, events, delay, token, isReady: () => true })
  open.atClose(async () => {
    events.close()
    await api.close()
    delay.stop()
  })
  const url = await listen(api, foundry.config)
  foundry.log.info({ url }, 'workers are answered')
}
