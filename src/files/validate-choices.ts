import type { ErrorObject } from 'ajv'

/**
 * `anyOf` and `oneOf` fail with the errors of every branch. Kept are those of the branch that was most likely meant;
 * where none stands out, the choice itself is the one error.
 */
export function condenseErrors(errors: readonly ErrorObject[]): ErrorObject[] {
  const kept: ErrorObject[] = []
  for (const error of errors) {
    if (isChoice(error)) kept.push(...chooseErrors(error, takeBranches(error, kept)))
    else kept.push(error)
  }
  return kept
}

function isChoice({ keyword, params }: ErrorObject): boolean {
  return (
    keyword === 'anyOf' || (keyword === 'oneOf' && (params as { passingSchemas?: unknown }).passingSchemas === null)
  )
}

/** The validator names the errors of the branches right before the choice. They are taken off the list. */
function takeBranches({ schemaPath, instancePath }: ErrorObject, kept: ErrorObject[]): ErrorObject[][] {
  const byBranch = new Map<string, ErrorObject[]>()
  const prefix = `${schemaPath}/`
  for (;;) {
    const last = kept.at(-1)
    if (!last?.schemaPath.startsWith(prefix) || !last.instancePath.startsWith(instancePath)) break
    const branch = last.schemaPath.slice(prefix.length).split('/', 1)[0] ?? ''
    byBranch.set(branch, [last, ...(byBranch.get(branch) ?? [])])
    kept.pop()
  }
  return [...byBranch.values()]
}

function chooseErrors(choice: ErrorObject, branches: readonly ErrorObject[][]): ErrorObject[] {
  const meant = branches
    .filter(branch => !branch.some(error => isOfAnotherKind(error, choice)))
    .toSorted((a, b) => a.length - b.length)[0]
  return meant ?? [choice]
}

/** A wrong type of the whole value, or a wrong word in a field that tells kinds apart. */
function isOfAnotherKind({ keyword, instancePath }: ErrorObject, choice: ErrorObject): boolean {
  if (keyword === 'const') return instancePath.split('/').length <= choice.instancePath.split('/').length + 1
  return (keyword === 'type' || keyword === 'enum') && instancePath === choice.instancePath
}
