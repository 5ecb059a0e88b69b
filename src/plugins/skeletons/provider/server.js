// @ts-check
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { crc32, deflateSync } from 'node:zlib'

/**
 * A little renderer to begin with: one job at a time, pictures of noise. `node server.js 9000` starts it by hand.
 *
 * @typedef {{ id: string, width: number, height: number, seed: number, state: string, file?: string }} Rendering
 */

/** @param {number} [port] */
export async function startServer(port = 0) {
  /** @type {Map<string, Rendering>} */
  let jobs = new Map()
  /** @type {Map<string, Buffer>} */
  const files = new Map()
  const faults = {
    jobMs: 0,
    failNext: false,
    loseNextAnswer: false,
    truncateNextPicture: false,
    withholdNextPicture: false,
  }
  let renders = 0
  let isWorking = false

  async function work() {
    if (isWorking) return
    isWorking = true
    for (let job = next(); job; job = next()) {
      job.state = 'running'
      for (let ms = 0; ms < faults.jobMs && job.state === 'running'; ms += 10) await sleep(10)
      await sleep(1)
      if (job.state !== 'running' || jobs.get(job.id) !== job) continue
      renders++
      if (faults.failNext) job.state = 'failed'
      else {
        if (!faults.withholdNextPicture) {
          job.file = `${job.id}.png`
          files.set(job.file, paint(job))
        }
        job.state = 'done'
      }
      Object.assign(faults, { failNext: false, withholdNextPicture: false })
    }
    isWorking = false
  }
  const next = () => [...jobs.values()].find(({ state }) => state === 'queued')

  const server = createServer(async (request, response) => {
    const { method, url = '/' } = request
    const [, what, name = ''] = url.split('/')
    /** @param {number} status @param {object} body */
    const answer = (status, body) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    const job = jobs.get(name)
    if (what === 'about')
      return answer(200, { queue: [...jobs.values()].filter(({ state }) => state === 'queued').length })
    if (what === 'jobs' && method === 'POST') {
      let text = ''
      for await (const chunk of request) text += chunk
      const asked = JSON.parse(text)
      if (asked.width > 2048 || asked.height > 2048) return answer(400, { problem: 'too large' })
      jobs.set(asked.id, { ...asked, state: 'queued' })
      void work()
      if (!faults.loseNextAnswer) return answer(200, {})
      faults.loseNextAnswer = false
      return request.socket.destroy()
    }
    if (what === 'jobs' && job && method === 'DELETE') {
      const was = job.state
      if (was === 'queued' || was === 'running') job.state = 'cancelled'
      return answer(200, { was })
    }
    if (what === 'jobs' && job) return answer(200, { state: job.state, file: job.file })
    const picture = what === 'files' ? files.get(decodeURIComponent(name)) : undefined
    if (!picture) return answer(404, {})
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': picture.length })
    if (!faults.truncateNextPicture) return response.end(picture)
    faults.truncateNextPicture = false
    response.write(picture.subarray(0, picture.length / 2), () => request.socket.destroy())
  })
  await new Promise(resolve => server.listen(port, '127.0.0.1', () => resolve(undefined)))
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${address.port}`,
    faults,
    renders: () => renders,
    restartEmpty() {
      jobs = new Map()
      files.clear()
    },
    async stop() {
      jobs = new Map()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A PNG of coloured noise that follows from the seed. @param {Rendering} job */
function paint({ width, height, seed }) {
  const rows = Buffer.alloc(height * (width * 3 + 1))
  let random = (seed % 2147483647) + 1
  for (let at = 0; at < rows.length; at++) {
    random = (random * 48271) % 2147483647
    rows[at] = at % (width * 3 + 1) === 0 ? 0 : random & 255
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** @param {string} type @param {Buffer} data */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const around = Buffer.alloc(8)
  around.writeUInt32BE(data.length, 0)
  around.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([around.subarray(0, 4), body, around.subarray(4)])
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { url } = await startServer(Number(process.argv[2] ?? 9000))
  console.log(`renders at ${url}`)
}
