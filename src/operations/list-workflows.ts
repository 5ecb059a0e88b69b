import type { Parameter } from '../schema/parameter.js'
import { referencesTaken } from '../workflow/references.js'
import { defineOperation } from './operation.js'

export interface ListedWorkflow {
  workflow: string
  /** Absent where no binding lies beside it: then it is bound each time that it is used. */
  family?: string
  title?: string
  /** What runs may set, by name. */
  parameters: Readonly<Record<string, Parameter>>
  /** Reference pictures that it takes at most; absent where it takes none. */
  references?: number
  path: string
}

export const listWorkflows = defineOperation({
  name: 'workflows.list',
  summary: 'The workflows of the home and those that ship, with their parameters',
  route: { method: 'GET', path: '/workflows' },
  input: { type: 'object', additionalProperties: false, properties: {} },
  async run(foundry) {
    const { workflows } = await foundry.shelf()
    const listed = [...workflows.values()].map(({ name, path, binding }): ListedWorkflow => ({
      workflow: name,
      ...(binding && { family: binding.family }),
      ...(binding?.title !== undefined && { title: binding.title }),
      parameters: binding?.parameters ?? {},
      ...(binding?.references && { references: referencesTaken(binding) }),
      path,
    }))
    return { workflows: listed.sort((a, b) => (a.workflow < b.workflow ? -1 : 1)) }
  },
})
