import { testProvider } from '../../conformance/suites.js'
import { FakeReplicate } from './fake-replicate.js'
import { flux2, graphOf, hostedJob, openFake } from './open-fake.js'

testProvider('replicate with a scripted service', async () => {
  const fake = await FakeReplicate.start()
  const open = () => openFake(fake.url)
  const connection = await open()
  return {
    connection,
    reopen: open,
    makeJob: seed => hostedJob({ id: `jseed${seed}`, graph: graphOf(flux2, { seed }) }),
    makeBadJob: () => hostedJob({ id: 'jbad', graph: graphOf(flux2, { width: 100_000 }) }),
    controls: {
      slowDown: async jobMs => void (fake.jobMs = jobMs),
      failNext: async () => void fake.parts.push({ ends: 'failed' }),
      loseNextAnswer: async () => void fake.parts.push({ loses: 'after' }),
      truncateNextPicture: async () => void (fake.truncated = 1),
      withholdNextPicture: async () => void fake.parts.push({ output: null }),
      restartEmpty: async () => fake.forget(),
      stop: () => fake.close(),
      renders: async () => fake.creates,
    },
    async close() {
      await connection.close()
      await fake.close()
    },
  }
})
