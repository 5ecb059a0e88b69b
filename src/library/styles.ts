import type { Problem } from '../errors.js'
import type { Style } from '../schema/style.js'
import { styleSchema } from '../schema/style.js'
import { listFiles } from './library-folder.js'
import { readDocument } from './read-document.js'
import { validateDocument } from '../files/validate.js'

export interface LibraryStyle {
  style: Style
  path: string
  /** What problems call it. */
  file: string
  sha256: string
}

const STYLE_SIZE_BYTES_MAX = 256 * 1024

/** The `style.yaml` of each folder that has one. Two of the same name are both kept: merging tells of clashes. */
export async function readStyles(folders: readonly string[]): Promise<{ styles: LibraryStyle[]; problems: Problem[] }> {
  const { files, problems } = await listFiles(folders, name => /^style\.ya?ml$/i.test(name))
  const styles: LibraryStyle[] = []
  for (const { path, file } of files) {
    const read = await readDocument(path, { file, sizeBytesMax: STYLE_SIZE_BYTES_MAX })
    if ('problem' in read) {
      problems.push(read.problem)
      continue
    }
    const { value: style, problems: found } = validateDocument(styleSchema, read.document)
    problems.push(...found)
    if (style) styles.push({ style, path, file, sha256: read.sha256 })
  }
  return { styles, problems }
}
