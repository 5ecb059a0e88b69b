import t from 'tap'
import { RepeatedPictures } from '../../../src/record/repeated-pictures.js'

t.test(
  'a picture that has the pixels of another seed of its run is refused; of the same seed, or another run, it is not',
  t => {
    const repeated = new RepeatedPictures()
    repeated.check('r', { pixelSha256: 'a', seed: 1 })
    repeated.check('r', { pixelSha256: 'a', seed: 1 })
    repeated.check('other', { pixelSha256: 'a', seed: 2 })
    repeated.check('r', { pixelSha256: 'b', seed: 2 })
    t.throws(() => repeated.check('r', { pixelSha256: 'a', seed: 2 }), {
      code: 'OUTPUT_INVALID',
      message: /another picture of this run, which has another seed: the server repeats itself/,
    })
    for (let at = 0; at < 10_000; at++) repeated.check('many', { pixelSha256: `${at}`, seed: at })
    repeated.check('r', { pixelSha256: 'a', seed: 2 })
    t.end()
  },
)
