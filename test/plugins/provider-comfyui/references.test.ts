import t from 'tap'
import { openConnection } from '../../../plugins/provider-comfyui/connection.js'
import { startDraftServer } from '../../../plugins/provider-comfyui/draft-server/draft-server.js'
import { sha256 } from '../../../src/files/hash.js'
import { type GraphJob, referenceName } from '../../../src/plugins/contract.js'
import { paintPicture } from '../../paint-picture.js'
import { collect, makeAttempt, makeHost, makeJob, makeServer, outcomeOf } from './make-job.js'
import { failureOf, quick } from './start-connection.js'

const signal = new AbortController().signal
const picture = await paintPicture(64, 64)
const hash = sha256(picture)
const reference = { sha256: hash, sizeBytes: picture.length, format: 'png', width: 64, height: 64 } as const

function jobAfter(name: unknown): GraphJob {
  const graph = {
    '1': { class_type: 'LoadImage', inputs: { image: name } },
    '3': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: '' } },
  }
  const target = { renderer: 'draft', family: 'sd15', workflow: 'small' }
  return makeJob({ graph, target, save: ['3'], references: [reference], isSizeKnown: false })
}

t.test('a picture is uploaded once, and again where the server has lost it', async t => {
  const server = await startDraftServer()
  let reads = 0
  const readReference = () => Promise.resolve(((reads += 1), picture))
  const host = { ...makeHost(), readReference }
  const connection = await openConnection(makeServer(server.url), host, quick)
  t.teardown(async () => {
    await connection.close()
    await server.close()
  })
  const job = jobAfter(referenceName(hash))
  t.strictSame(await connection.check(job, signal), [], 'nothing is uploaded to check a job')
  t.equal(reads, 0)
  const render = async () => {
    const attempt = makeAttempt(job.id)
    await connection.submit(job, attempt, signal)
    return outcomeOf(await collect(connection.follow(attempt, signal)))
  }
  t.match(await render(), /finished/)
  t.match(await render(), /finished/)
  t.equal(reads, 1)
  t.ok(server.files.get('input', 'foundry', `${hash}.png`))
  server.files.delete('input', 'foundry', `${hash}.png`)
  t.match(await render(), /finished/)
  t.equal(reads, 2)
  const unknown = jobAfter(referenceName('0'.repeat(64)))
  t.equal((await failureOf(connection.submit(unknown, makeAttempt(), signal))).reason, 'invalid-graph')
})

t.test('without anybody to read pictures, a job with some is refused', async t => {
  const server = await startDraftServer()
  const connection = await openConnection(makeServer(server.url), makeHost(), quick)
  t.teardown(async () => {
    await connection.close()
    await server.close()
  })
  const refused = connection.submit(jobAfter(referenceName(hash)), makeAttempt(), signal)
  t.equal((await failureOf(refused)).reason, 'invalid-graph')
})
