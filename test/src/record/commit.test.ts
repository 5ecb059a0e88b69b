import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { jobMaker } from '../../../src/plan/make-job.js'
import { commitPicture, keepPicture } from '../../../src/record/commit.js'
import { readPngText, withoutPngWords, withPngText } from '../../../src/record/png-text.js'
import { RepeatedPictures } from '../../../src/record/repeated-pictures.js'
import { samplePlan, sampleSeries, slotOf } from '../plan/sample-plan.js'

const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, at) => (at * 7919) % 251))
const picture = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
  .png()
  .toBuffer()

function sampleJobs(renderer?: string) {
  const plan = { ...samplePlan(sampleSeries({ count: 2 })), ...(renderer && { renderer }) }
  const of = { run: 'r', dropSha256: 'd'.repeat(64), models: [], privateTexts: new Map<number, string>(), plugins: [] }
  const maker = jobMaker({ ...of, plan })
  const [job, other] = [0, 1].map(ordinal => maker.make(slotOf(plan, ordinal)))
  if (!job || !other) throw new Error('no jobs')
  return { job, other }
}

const placeIn = (home: string) => ({
  runFolder: join(home, 'run'),
  staging: join(home, 'staging'),
  orphans: join(home, 'orphans'),
})
const facts = { foundry: '1', server: { name: 's' }, attempts: [], timings: {} }

t.test('the picture of another seed is refused, unless it is a draft or paid', async t => {
  const home = t.testdir({})
  for (const [renderer, isPaid, isRefused] of [
    ['comfyui', false, true],
    ['draft', false, false],
    ['comfyui', true, false],
  ] as const) {
    const { job, other } = sampleJobs(renderer)
    const place = placeIn(join(home, `${renderer}-${isPaid}`))
    const both = { ...facts, isPaid, repeated: new RepeatedPictures() }
    await commitPicture(picture, job, place, both)
    const again = commitPicture(picture, other, place, both)
    if (isRefused) await t.rejects(again, { code: 'OUTPUT_INVALID', message: /repeats itself/ })
    else t.match(await again, { file: /png$/ })
  }
})

t.test('a picture that carries the record of another job is refused', async t => {
  const { job, other } = sampleJobs()
  const place = placeIn(t.testdir())
  const carrying = (request: object) => withPngText(picture, [{ keyword: 'foundry', text: JSON.stringify(request) }])
  await t.rejects(commitPicture(carrying(other.request), job, place, facts), {
    code: 'OUTPUT_INVALID',
    details: { reason: 'it is of another job' },
  })
  t.match(await commitPicture(carrying(job.request), job, place, facts), { file: /png$/ })
  t.match(await commitPicture(picture, other, place, facts), { file: /png$/ }, 'a server may write none')
})

t.test('a private picture keeps no words of its server, also where it is kept beside', async t => {
  const plan = samplePlan(sampleSeries())
  const of = { run: 'r', dropSha256: 'd'.repeat(64), models: [], privateTexts: new Map<number, string>(), plugins: [] }
  const made = jobMaker({ ...of, plan }).make(slotOf(plan, 0))
  if (!made) throw new Error('no job')
  const job = { ...made, isPrivate: true }
  const home = t.testdir()
  const place = { runFolder: join(home, 'run'), staging: join(home, 'staging'), orphans: join(home, 'orphans') }
  const facts = { foundry: '1', server: { name: 's' }, attempts: [], timings: {} }
  const written = withPngText(picture, [
    { keyword: 'prompt', text: 'private' },
    { keyword: 'parameters', text: 'private' },
  ])
  const committed = await commitPicture(written, job, place, facts)
  if ('orphan' in committed) throw new Error('not committed')
  const file = await readFile(join(place.runFolder, committed.file))
  t.strictSame(
    readPngText(file).map(({ keyword }) => keyword),
    ['foundry'],
  )
  const kept = await keepPicture(written, job, 1, place.orphans)
  t.strictSame(await readFile(join(place.orphans, kept)), withoutPngWords(picture))
})
