import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The work on a downloaded picture that everybody does: SHA-256 and a file. */
export async function keepPicture(folder: string, job: number, bytes: Uint8Array): Promise<string> {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await writeFile(join(folder, `${job}.png`), bytes)
  return sha256
}
