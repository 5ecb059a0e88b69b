import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashSafetensors } from '../../../src/library/safetensors-hash.js'
import { withHeader } from '../../make-weights.js'

const header = '{"__metadata__":{"ss_network_dim":"4"},"t":{"dtype":"U8","shape":[1200000],"data_offsets":[0,1200000]}}'
const body = Buffer.from(Uint8Array.from({ length: 1_200_000 }, (_, at) => at % 251))

const cases = {
  'gives the hashes that other tools give': {
    file: withHeader(header.padEnd(104), body),
    hash: {
      sha256: 'd3a95b60e24fd05ef3da5c04726d52145405d0d5b951b8ab09692f5886a1b42c',
      tensorSha256: '7b30b0e3bdc9398dead57d36d66dfa731e362446f95a6cc1280f398bf5df455d',
      sizeBytes: 1_200_112,
    },
  },
  'knows no tensors in a file that is something else': {
    file: Buffer.from('# Mock weights file\n'),
    hash: { sha256: '732269489573ba861d921f89d78fa035e149f24a73f15a456ea170eac8a32a3d', sizeBytes: 20 },
  },
  'knows no tensors in an empty file': {
    file: Buffer.alloc(0),
    hash: { sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', sizeBytes: 0 },
  },
  'hashes nothing where no tensor follows the header': {
    file: withHeader('{}', Buffer.alloc(0)),
    hash: { tensorSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', sizeBytes: 10 },
  },
}

for (const [title, { file, hash }] of Object.entries(cases))
  t.test(`hashSafetensors ${title}`, async t => {
    const path = join(t.testdir({}), 'weights.safetensors')
    writeFileSync(path, file)
    const found = await hashSafetensors(path)
    t.match(found.hash, hash)
    t.equal('tensorSha256' in found.hash, 'tensorSha256' in hash)
    t.equal(found.stamp.sizeBytes, file.length)
  })

t.test('hashSafetensors refuses what is no file', async t => {
  const folder = t.testdir({ sub: {} })
  await t.rejects(hashSafetensors(join(folder, 'sub')), { code: 'FILE_NOT_REGULAR' })
  await t.rejects(hashSafetensors(join(folder, 'none')), { code: 'FILE_UNREADABLE' })
})
