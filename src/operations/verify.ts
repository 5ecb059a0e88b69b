import { sha256File } from '../files/hash.js'
import { verifyRun } from '../record/verify-run.js'
import type { Foundry } from './foundry.js'
import { defineOperation } from './operation.js'
import { findRun } from './runs.js'

export const verify = defineOperation({
  name: 'verify',
  summary: 'Hashes every input and output of a run again and names each difference',
  route: { method: 'POST', path: '/runs/:id/verify' },
  input: {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id: { type: 'string', minLength: 1, maxLength: 128 } },
  },
  async run(foundry, input) {
    const run = findRun(foundry, input.id)
    const { run: name, drop, files } = run.accepted
    const paths = await inputPaths(foundry, { drop, ...files })
    const verification = await verifyRun(foundry.runFolder(name), async input => {
      const path = paths.get(input)
      return path === undefined ? undefined : (await sha256File(path)).sha256
    })
    return { run: name, ...verification }
  },
})

/** Where the inputs of plans lie now, by logical name. */
async function inputPaths(foundry: Foundry, files: Record<string, string>): Promise<Map<string, string>> {
  const shelf = await foundry.shelf()
  const paths = new Map<string, string>()
  for (const [id, { path }] of shelf.templates) paths.set(`template:${id}`, path)
  for (const { name, path } of shelf.styleFiles) paths.set(`style:${name}`, path)
  for (const [name, { path }] of shelf.workflows) paths.set(`workflow:${name}`, path)
  for (const [id, { weights }] of shelf.talents) if (weights) paths.set(`weights:${id}`, weights.path)
  for (const [name, path] of Object.entries(files)) paths.set(name, path)
  return paths
}
