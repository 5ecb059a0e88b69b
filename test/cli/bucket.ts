import { createServer } from 'node:http'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

export interface Bucket {
  url: string
  /** What lies in it, with when it was put. */
  held: Map<string, { bytes: Buffer; putAt: number }>
  /** What was refused, once each. */
  refused: Set<string>
}

/**
 * Keeps bytes by name over HTTP for who knows the key. The first `PUT` and `GET` of a proof and of a picture are refused,
 * as on a bad day.
 */
export async function openBucket(t: Test, key: string): Promise<Bucket> {
  const bucket: Bucket = { url: '', held: new Map(), refused: new Set() }
  const server = createServer((request, response) => {
    void (async () => {
      const { method = '', url = '/', headers } = request
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      if (headers['x-key'] !== key) return response.writeHead(403).end()
      const name = url.slice(1)
      const act = `${method} ${name.endsWith('-proof') ? 'proof' : 'picture'}`
      if (['PUT', 'GET'].includes(method) && name !== '' && !bucket.refused.has(act)) {
        bucket.refused.add(act)
        return response.writeHead(503).end()
      }
      if (method === 'PUT') bucket.held.set(name, { bytes: Buffer.concat(chunks), putAt: Date.now() })
      if (method === 'DELETE') bucket.held.delete(name)
      if (method !== 'GET') return response.writeHead(204).end()
      if (name === '')
        return response.end(JSON.stringify([...bucket.held].map(([name, { putAt }]) => ({ name, putAt }))))
      const found = bucket.held.get(name)
      return response.writeHead(found ? 200 : 404).end(found?.bytes)
    })()
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  bucket.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  return bucket
}

/** The plugin `storage-bucket` in a home. */
export function writeBucketPlugin(home: string): void {
  const folder = join(home, 'plugins', 'storage-bucket')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'index.js'), code)
}

const code = `
const text = { type: 'string' }

export default {
  kind: 'storage',
  name: 'bucket',
  version: '1.0.0',
  options: { type: 'object', required: ['url', 'key'], properties: { url: text, key: text } },
  async open({ url, key }) {
    const ask = async (method, name, body) => {
      const answer = await fetch(url + '/' + name, { method, body, headers: { 'x-key': key } })
      if (answer.ok || answer.status === 404) return answer
      throw new Error('the bucket answers ' + answer.status)
    }
    return {
      put: async (name, bytes) => void (await ask('PUT', name, bytes)),
      async get(name, sizeBytesMax) {
        const answer = await ask('GET', name)
        const bytes = Buffer.from(await answer.arrayBuffer())
        return answer.ok && bytes.length <= sizeBytesMax ? bytes : undefined
      },
      list: async () => (await ask('GET', '')).json(),
      remove: async name => void (await ask('DELETE', name)),
      close: async () => undefined,
    }
  },
}
`
