import t from 'tap'
import { token } from './fake-replicate.js'
import { type Attempt, type Connection, type Job, type Receipt, RenderFailure } from '../../../src/plugins/contract.js'
import { collect, makeAttempt } from '../provider-comfyui/make-job.js'
import { type FakeReplicate, type Part, paint } from './fake-replicate.js'
import { flux1, flux2, graphOf, hostedJob, openFake, startFake } from './open-fake.js'

const { signal } = new AbortController()

async function failureOf(promise: Promise<unknown>): Promise<RenderFailure> {
  try {
    await promise
  } catch (thrown) {
    if (thrown instanceof RenderFailure) return thrown
    throw thrown
  }
  throw new Error('It did not fail')
}

/** Submits a job and follows it: its last event. */
async function endOf(connection: Connection, job: Job = hostedJob(), attempt: Attempt = makeAttempt()) {
  await connection.submit(job, attempt, signal)
  const last = (await collect(connection.follow(attempt, signal))).at(-1)
  if (last?.kind === 'finished' || last?.kind === 'failed') return last
  throw new Error('It did not end')
}

async function bytesOf(connection: Connection): Promise<Buffer> {
  const last = await endOf(connection)
  if (last.kind === 'failed') throw last.failure
  const [output] = last.outputs
  if (!output) throw new Error('It gave nothing')
  return connection.fetch(output, signal)
}

t.test('a create that is refused says why, and what follows from it', async t => {
  const cases: [part: Part, reason: string, message: RegExp][] = [
    [{ status: 400, body: { detail: 'bad' } }, 'invalid-graph', /refuses the input: bad/],
    [{ status: 401 }, 'locked-out', /does not accept the token \(401\)/],
    [{ status: 402, body: { detail: 'Insufficient credit' } }, 'locked-out', /no credit left \(402\): Insufficient/],
    [{ status: 403 }, 'refused', /answered with 403/],
    [{ status: 404 }, 'missing-model', /does not offer the model .*flux-2-pro any more: choose another workflow/],
    [{ status: 422, body: { detail: '- input.width: Must be less than 2048' } }, 'invalid-graph', /input\.width/],
    [{ status: 422, body: { detail: 'The prompt was flagged as sensitive. (E005)' } }, 'moderated', /flagged/],
    [{ status: 301, headers: { location: 'http://127.0.0.2:9/' } }, 'refused', /answered with 301/],
    [{ status: 500 }, 'unknown-outcome', /got into trouble \(500\)/],
    [{ loses: 'before' }, 'unknown-outcome', /did not answer POST/],
    [{ loses: 'after' }, 'unknown-outcome', /did not answer POST/],
  ]
  for (const [part, reason, message] of cases) {
    const { fake, connection } = await startFake(t)
    fake.parts = [part]
    const failure = await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
    t.equal(failure.reason, reason)
    t.match(failure.message, message)
    t.equal(fake.asked.length, 1, 'asked once, and never repeated')
  }
})

t.test('what ended without a picture is told by its cause', async t => {
  const cases: [part: Part, reason: string, message: RegExp][] = [
    [{ ends: 'failed' }, 'node-error', /KeyError/],
    [{ ends: 'failed', error: 'NSFW content detected' }, 'moderated', /NSFW/],
    [{ ends: 'failed', error: 'The output was Flagged As Sensitive (E005)' }, 'moderated', /Flagged/],
    [{ ends: 'canceled' }, 'silent', /did not end before its deadline/],
    [{ ends: 'aborted' }, 'silent', /did not begin before its deadline/],
    [{ output: null }, 'no-output', /without a picture/],
    [{ isRemoved: true }, 'in-doubt', /has deleted it since.*runs retry/],
  ]
  for (const [part, reason, message] of cases) {
    const { fake, connection } = await startFake(t)
    fake.parts = [part]
    const last = await endOf(connection)
    t.equal(last.kind === 'failed' && last.failure.reason, reason)
    t.match(last.kind === 'failed' && last.failure.message, message)
  }
})

t.test('a picture comes as one address, as a list of them, or inside the answer', async t => {
  const { fake, connection } = await startFake(t)
  const data = `data:image/png;base64,${(await paint({ seed: 1 })).toString('base64')}`
  const picture = await bytesOf(connection)
  const [created] = fake.ledger
  const address = `http://127.0.0.1:${fake.port}/output/${created?.id}.png`
  for (const output of [[address], [data], data]) {
    fake.parts = [{ output }]
    t.same(await bytesOf(connection), picture)
  }
  fake.parts = [{ output: 'data:text/html;base64,AAAA' }]
  t.equal((await failureOf(bytesOf(connection))).reason, 'no-output')
})

t.test('a slow prediction is polled to its end, whatever its words are before', async t => {
  const { fake, connection } = await startFake(t)
  fake.jobMs = 200
  const kinds = []
  const attempt = makeAttempt()
  await connection.submit(hostedJob(), attempt, signal)
  for await (const event of connection.follow(attempt, signal)) kinds.push(event.kind)
  t.same(kinds, ['started', 'output', 'finished'])
  t.ok(fake.asked.filter(({ method }) => method === 'GET').length > 3)
})

t.test('too many questions are asked again when it was said', async t => {
  const { fake, connection } = await startFake(t)
  const detail = 'Request was throttled. Your rate limit resets in ~1s.'
  fake.parts = [{ status: 429, body: { detail }, headers: { 'retry-after': '0.3' } }]
  const begin = performance.now()
  await connection.submit(hostedJob(), makeAttempt(), signal)
  t.ok(performance.now() - begin >= 290, 'not sooner')
  t.equal(fake.creates, 1)

  const throttled = Array.from({ length: 9 }, (): Part => ({
    status: 429,
    body: { detail },
    headers: { 'retry-after': '3600' },
  }))
  fake.parts = throttled
  const failure = await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
  t.equal(failure.reason, 'locked-out', 'nobody waits an hour for it')
  t.equal(fake.creates, 1)
})

t.test('the key goes to the configured address alone', async t => {
  const { fake, connection } = await startFake(t)
  const other = await startFake(t)
  await bytesOf(connection)
  t.ok(
    fake.asked.every(({ path, hasKey }) => hasKey === path.startsWith('/v1/')),
    'not with a picture that needs none',
  )
  fake.outputsNeedKey = true
  await bytesOf(connection)
  t.ok(
    fake.asked.some(({ path, hasKey }) => hasKey && path.startsWith('/output/')),
    'where it is asked for, on its own host',
  )

  const foreign = [
    `http://127.0.0.1:${other.fake.port}/output/x.png`,
    'http://10.0.0.1/x.png',
    'http://169.254.169.254/latest/meta-data',
    'http://replicate.delivery/x.png',
    'https://replicate.delivery.example.org/x.png',
    'https://notreplicate.delivery/x.png',
    `https://${token}@replicate.delivery/x.png`,
    'file:///etc/passwd',
    'no address',
  ]
  for (const output of foreign) {
    fake.parts = [{ output }]
    const failure = await failureOf(bytesOf(connection))
    t.equal(failure.reason, 'no-output')
    t.notMatch(failure.message, token)
  }
  fake.redirect = `http://127.0.0.1:${other.fake.port}/output/x.png`
  t.equal((await failureOf(bytesOf(connection))).reason, 'no-output')
  t.same(other.fake.asked, [], 'no other host was asked for anything')
})

t.test('an output that is away for now may be fetched later, one that is gone may not', async t => {
  const { fake, connection } = await startFake(t)
  fake.statusOfOutputs = 503
  t.equal((await failureOf(bytesOf(connection))).reason, 'unreachable')
  fake.statusOfOutputs = 404
  t.equal((await failureOf(bytesOf(connection))).reason, 'no-output')
})

t.test('a message never tells the key, a signed query, or a prompt', async t => {
  const { fake, connection } = await startFake(t)
  fake.parts = [{ status: 422, body: { detail: `see ${token} and https://x.example/a?sig=secret` } }]
  const { message } = await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
  t.match(message, /see \[key\] and https:\/\/x\.example\/a$/)

  const echo = 'Not allowed: portrait of mara.'
  fake.parts = [
    { status: 422, body: { detail: echo } },
    { ends: 'failed', error: echo },
  ]
  const refused = await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
  t.match(refused.message, /Not allowed: \[input\]\.$/, 'nor the words of a prompt')
  const last = await endOf(connection)
  t.match(last.kind === 'failed' && last.failure.message, /Not allowed: \[input\]\.$/)
})

t.test('a message tells no part of a prompt either, nor words about an input that is gone', async t => {
  const { fake, connection } = await startFake(t)
  fake.parts = [
    { status: 422, body: { detail: [{ msg: 'too rude', input: 'near: portrait of ma' }] } },
    { ends: 'failed', error: 'Not allowed: portrait of mara', forgetsInput: true },
  ]
  const refused = await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
  t.match(refused.message, /too rude/)
  t.notMatch(refused.message, /portrait/)
  const last = await endOf(connection)
  t.match(last.kind === 'failed' && last.failure.message, /failed$/)
})

t.test('questions are asked again while the service is in trouble, and tell it in the end', async t => {
  const { fake, connection } = await startFake(t)
  const attempt = makeAttempt()
  await connection.submit(hostedJob(), attempt, signal)
  fake.statusOfReads = 503
  const failure = await failureOf(connection.find(attempt, signal))
  t.equal(failure.reason, 'unreachable')
  t.equal(fake.asked.filter(({ method }) => method === 'GET').length, 5)
  t.equal((await failureOf(connection.probe(signal))).reason, 'unreachable')
})

t.test('a lost answer is looked for in the list, and found where it is', async t => {
  const leasedAt = Date.now()
  const adopt = (connection: Connection, job: Job, taken: string[] = []): Promise<Receipt> =>
    connection.adopt?.(job, { ...makeAttempt(), leasedAt }, { taken: new Set(taken), signal }) ??
    Promise.reject(new Error('none'))
  const created = (fake: FakeReplicate) => fake.ledger.map(({ id }) => id)

  t.test('late, and behind others', async t => {
    const { fake, connection } = await startFake(t)
    fake.listLagMs = 100
    fake.pageSize = 2
    fake.parts = [{ loses: 'after' }]
    await failureOf(connection.submit(hostedJob(), makeAttempt(), signal))
    for (const seed of [11, 12, 13, 14])
      await connection.submit(hostedJob({ graph: graphOf(flux2, { seed }) }), makeAttempt(), signal)
    const receipt = await adopt(connection, hostedJob())
    t.equal(receipt.remote, created(fake)[0])
    t.equal(fake.creates, 5)
  })
  t.test('not one of another attempt, another model or another time', async t => {
    const { fake, connection } = await startFake(t)
    await connection.submit(hostedJob(), makeAttempt(), signal)
    t.equal((await failureOf(adopt(connection, hostedJob()))).reason, 'in-doubt', 'this connection made it for another')
    const second = await openFake(fake.url)
    t.teardown(() => second.close())
    t.equal((await failureOf(adopt(second, hostedJob(), created(fake)))).reason, 'in-doubt', 'the journal knows it')
    const other = hostedJob({ graph: graphOf('black-forest-labs/flux-kontext-pro') })
    t.equal((await failureOf(adopt(second, other))).reason, 'in-doubt')
    for (const each of fake.ledger) each.at -= 120_000
    t.equal((await failureOf(adopt(second, hostedJob()))).reason, 'in-doubt', 'it is older than the attempt')
  })
  t.test('by another process, after a crash', async t => {
    const { fake, connection } = await startFake(t)
    await connection.submit(hostedJob(), makeAttempt(), signal)
    const second = await openFake(fake.url)
    t.teardown(() => second.close())
    t.equal((await adopt(second, hostedJob())).remote, created(fake)[0])
  })
  t.test('without an answer to that question it is asked again later', async t => {
    const { fake, connection } = await startFake(t)
    fake.statusOfReads = 502
    t.equal((await failureOf(adopt(connection, hostedJob()))).reason, 'unreachable')
  })
})

t.test('a price is that of the table, or of the configuration, or unknown', async t => {
  const { connection } = await startFake(t, { options: { models: { [flux2]: { price: 0.03 } } } })
  const priceOf = (model: string) => connection.priceOf?.(hostedJob({ graph: graphOf(model) }))
  t.same(priceOf(flux2), { amount: 0.03, currency: 'USD' })
  t.same(priceOf(flux1), { amount: 0.055, currency: 'USD' })
  t.same(priceOf('black-forest-labs/flux-kontext-pro'), { currency: 'USD' })
  t.equal(priceOf('nobody/knows'), undefined)
})

t.test('an entry that cannot be used is refused before anything is asked', async t => {
  const url = 'https://api.example.org/v1'
  const cases: [url: string, entry: object, code: string][] = [
    [url, { token: '' }, 'REPLICATE_TOKEN_MISSING'],
    [url, { token: 'a\nb' }, 'REPLICATE_TOKEN_INVALID'],
    ['http://api.example.org/v1', {}, 'REPLICATE_URL_INVALID'],
    ['ftp://api.example.org', {}, 'REPLICATE_URL_INVALID'],
    ['https://me:secret@api.example.org/v1', {}, 'REPLICATE_URL_INVALID'],
    [url, { ca: '/nowhere/ca.pem' }, 'REPLICATE_CA_UNREADABLE'],
    [url, { options: { model: {} } }, 'REPLICATE_OPTIONS_INVALID'],
    [url, { options: { models: { flat: {} } } }, 'REPLICATE_OPTIONS_INVALID'],
    [url, { options: { models: { 'a/b': { price: '1', retiredOn: 'soon', else: 1 } } } }, 'REPLICATE_OPTIONS_INVALID'],
    ...[{ style: { type: 'string', enum: 5 } }, { steps: { type: 'integer', minimum: '1' } }, 'all'].map(
      (inputs): [string, object, string] => [
        url,
        { options: { models: { 'a/b': { inputs } } } },
        'REPLICATE_OPTIONS_INVALID',
      ],
    ),
  ]
  for (const [address, entry, code] of cases) await t.rejects(openFake(address, entry), { code })
})
