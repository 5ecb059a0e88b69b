import t, { type Test } from 'tap'
import { sha256 } from '../../../src/files/hash.js'
import { openConnection } from '../../../plugins/provider-replicate/connection.js'
import {
  type Attempt,
  type Connection,
  type GraphJob,
  type Reference,
  referenceName,
} from '../../../src/plugins/contract.js'
import { paintPicture } from '../../paint-picture.js'
import { collect, makeAttempt, makeHost, makeServer } from '../provider-comfyui/make-job.js'
import { failureOf } from '../provider-comfyui/start-connection.js'
import { FakeReplicate, token } from './fake-replicate.js'
import { flux2, graphOf, hostedJob, quick } from './open-fake.js'

t.setTimeout(60_000)
const small = await paintPicture(40, 40)
const large = await paintPicture(320, 320)
const other = await paintPicture(320, 320, 2)
const signal = new AbortController().signal
const bytesByHash = new Map([small, large, other].map(bytes => [sha256(bytes), bytes]))

function referenceOf(bytes: Buffer): Reference {
  return { sha256: sha256(bytes), sizeBytes: bytes.length, format: 'png', width: 9, height: 9 }
}

function jobAfter(...pictures: Buffer[]): GraphJob {
  const references = pictures.map(referenceOf)
  const names = { __value__: references.map(each => referenceName(each.sha256)) }
  return hostedJob({ graph: graphOf(flux2, { input_images: names }), references })
}

async function start(t: Test, idleMs = 300_000): Promise<{ fake: FakeReplicate; open(): Promise<Connection> }> {
  const fake = await FakeReplicate.start()
  const readReference = ({ sha256: hash }: Reference) => Promise.resolve(bytesByHash.get(hash) ?? Buffer.alloc(0))
  const opened: Connection[] = []
  t.teardown(async () => {
    for (const each of opened) await each.close()
    await fake.close()
  })
  const open = async () => {
    const server = makeServer(fake.url, { provider: 'replicate', token, timeoutSeconds: 2 })
    const connection = await openConnection(server, { ...makeHost(), readReference }, { ...quick, idleMs })
    opened.push(connection)
    return connection
  }
  return { fake, open }
}

t.test(
  'a small picture is part of the request, a large one is uploaded once, and deleted when it is used no more',
  async t => {
    const { fake, open } = await start(t)
    const connection = await open()
    const job = jobAfter(small, large)
    t.strictSame(await connection.check(job, signal), [])
    for (let number = 1; number <= 2; number++) {
      const attempt = makeAttempt(job.id, number)
      await connection.submit(job, attempt, signal)
      t.equal((await collect(connection.follow(attempt, signal))).at(-1)?.kind, 'finished')
    }
    t.equal(fake.creates, 2)
    t.equal(fake.uploads, 1)
    const url = `${fake.url}/files/f1`
    for (const { input } of fake.ledger)
      t.strictSame(input['input_images'], [`data:image/png;base64,${small.toString('base64')}`, url])
    t.match(fake.files.get('f1'), { name: `${sha256(large)}.png` }, 'it is called by its content')
    t.ok(fake.files.get('f1')?.bytes.equals(large))
    t.ok(fake.asked.every(({ hasKey }) => hasKey))
    await connection.close()
    t.equal(fake.files.size, 0)
  },
)

t.test('an uploaded picture that nobody uses is deleted, and one that is being read stays', async t => {
  const { fake, open } = await start(t, 30)
  const connection = await open()
  const job = jobAfter(large)
  const attempt = makeAttempt(job.id)
  fake.jobMs = 150
  await connection.submit(job, attempt, signal)
  const following = collect(connection.follow(attempt, signal))
  await new Promise(resolve => setTimeout(resolve, 80))
  t.equal(fake.files.size, 1)
  await following
  while (fake.files.size > 0) await new Promise(resolve => setTimeout(resolve, 10))
  fake.jobMs = 60_000
  await connection.submit(job, makeAttempt(job.id, 2), signal)
  await connection.close()
  t.equal(fake.files.size, 1, 'what a prediction may still read is left to the service')
})

t.test('what was created is found again by its pictures, as they are told', async t => {
  const { fake, open } = await start(t)
  const lost = async (job: GraphJob) => {
    const connection = await open()
    const attempt = { ...makeAttempt(job.id), leasedAt: Date.now() }
    fake.parts = [{ loses: 'after' }]
    t.equal((await failureOf(connection.submit(job, attempt, signal))).reason, 'unknown-outcome')
    return attempt
  }
  const [of, ofOther, ofSmall] = [jobAfter(large), jobAfter(other), jobAfter(small)]
  const attempts = [await lost(of), await lost(ofOther), await lost(ofSmall)]
  // Another process, which has uploaded nothing.
  const connection = await open()
  const adopt = async (by: Connection, job: GraphJob, attempt: Attempt) =>
    by.adopt?.(job, attempt, { taken: new Set<string>(), signal })
  for (const [at, job] of [of, ofOther, ofSmall].entries())
    t.equal((await adopt(connection, job, attempts[at] ?? makeAttempt()))?.remote, fake.ledger[at]?.id)
  const both = jobAfter(large, small)
  const never = adopt(connection, both, { ...makeAttempt(), leasedAt: Date.now() })
  t.equal((await failureOf(never)).reason, 'in-doubt')
  fake.files.clear()
  const later = await open()
  t.equal((await failureOf(adopt(later, of, attempts[0] ?? makeAttempt()))).reason, 'in-doubt')
  t.equal(fake.creates, 3, 'nothing is paid twice')
})

t.test('a picture that is not taken leaves nothing in doubt', async t => {
  const cases: [end: FakeReplicate['uploadsEnd'], reason: string][] = [
    [401, 'locked-out'],
    [413, 'invalid-graph'],
    [500, 'unreachable'],
    ['lost', 'unreachable'],
  ]
  const { fake, open } = await start(t)
  const connection = await open()
  const job = jobAfter(large)
  for (const [end, reason] of cases) {
    fake.uploadsEnd = end
    t.equal((await failureOf(connection.submit(job, makeAttempt(job.id), signal))).reason, reason, String(end))
  }
  t.equal(fake.creates, 0)
  fake.uploadsEnd = undefined
  await connection.submit(job, makeAttempt(job.id), signal)
  t.equal(fake.creates, 1)
})

t.test('pictures stand only where a model takes them, and are those of the job', async t => {
  const { fake, open } = await start(t)
  const connection = await open()
  const name = referenceName(sha256(small))
  const job = jobAfter(small)
  const codesOf = async (more: Partial<GraphJob>) =>
    (await connection.check({ ...job, ...more }, signal)).map(({ code, path }) => [code, path])
  t.strictSame(await codesOf({ graph: graphOf(flux2, { aspect_ratio: name }) }), [
    ['REPLICATE_INPUT_UNFIT', '1.inputs.aspect_ratio'],
    ['REPLICATE_INPUT_UNFIT', '1.inputs.aspect_ratio'],
  ])
  t.strictSame(await codesOf({ references: [] }), [['REPLICATE_REFERENCE_UNKNOWN', '1.inputs.input_images']])
  const nine = Array.from({ length: 9 }, () => small)
  t.strictSame(await codesOf(jobAfter(...nine)), [['REPLICATE_REFERENCES_TOO_MANY', '1.inputs']])
  t.equal(fake.creates, 0)
})
