import type { Problem } from '../errors.js'
import type { Template } from '../schema/template.js'
import { families, templateSchema } from '../schema/template.js'
import { listFiles } from './library-folder.js'
import { findNearMiss } from '../files/near-miss.js'
import type { ParsedDocument } from '../files/document.js'
import { readDocument } from './read-document.js'
import { validateDocument } from '../files/validate.js'

export interface LibraryTemplate {
  template: Template
  path: string
  /** What problems call it. */
  file: string
  sha256: string
}

const TEMPLATE_SIZE_BYTES_MAX = 256 * 1024

/** The `*.template.yaml` files of folders, by id. Of two with the same id the first counts. */
export async function readTemplates(
  folders: readonly string[],
): Promise<{ templates: Map<string, LibraryTemplate>; problems: Problem[] }> {
  const { files, problems } = await listFiles(folders, name => /\.template\.ya?ml$/i.test(name))
  const templates = new Map<string, LibraryTemplate>()
  for (const { path, file } of files) {
    const read = await readDocument(path, { file, sizeBytesMax: TEMPLATE_SIZE_BYTES_MAX })
    if ('problem' in read) {
      problems.push(read.problem)
      continue
    }
    const { value: template, problems: found } = validateDocument(templateSchema, read.document)
    problems.push(...found)
    if (!template) continue
    problems.push(...checkViews(template, read.document), ...checkFamilies(template, read.document))
    const first = templates.get(template.id)
    if (first) problems.push(duplicate(read.document, first))
    else templates.set(template.id, { template, path, file, sha256: read.sha256 })
  }
  return { templates, problems }
}

function checkViews({ views }: Template, document: ParsedDocument): Problem[] {
  return views.flatMap(({ id }, index) =>
    views.findIndex(view => view.id === id) === index
      ? []
      : [
          {
            severity: 'error' as const,
            code: 'TEMPLATE_VIEW_DUPLICATE',
            message: 'another view has this id already',
            file: document.file,
            ...document.locate(['views', index, 'id']),
            path: `views[${index}].id`,
            found: id,
          },
        ],
  )
}

function checkFamilies({ sizes, workflows = {} }: Template, document: ParsedDocument): Problem[] {
  const known: readonly string[] = families
  return Object.entries({ sizes, workflows }).flatMap(([field, byFamily]) =>
    Object.keys(byFamily)
      .filter(family => !known.includes(family))
      .map(family => {
        const meant = findNearMiss(family, known)
        return {
          severity: 'warning' as const,
          code: 'TEMPLATE_FAMILY_UNKNOWN',
          message: `no model family has this name${meant === undefined ? '' : `: did you mean "${meant}"?`}`,
          file: document.file,
          ...document.locate([field, family], 'key'),
          path: `${field}.${family}`,
          allowed: known.join(', '),
        }
      }),
  )
}

function duplicate(document: ParsedDocument, first: LibraryTemplate): Problem {
  return {
    severity: 'error',
    code: 'TEMPLATE_DUPLICATE',
    message: `another template has this id already: this one is left out`,
    file: document.file,
    ...document.locate(['id']),
    path: 'id',
    found: first.file,
  }
}
