import { existsSync } from 'node:fs'
import type { Problem } from '../errors.js'
import { replaceFile } from '../files/durable.js'
import { validateDocument } from '../files/validate.js'
import { readDocument } from '../library/read-document.js'
import { sha256Text } from '../schema/text-forms.js'

/** Version and hash of the code of plugins when they last ran, by name. */
export type RememberedCode = Readonly<Record<string, { version: string; sha256: string }>>

/** A plugin's code, as it lies there now. */
interface FoundCode {
  name: string
  file: string
  version?: string | undefined
  sha256?: string | undefined
}

const rememberedSchema = {
  type: 'object',
  additionalProperties: {
    type: 'object',
    required: ['version', 'sha256'],
    properties: { version: { type: 'string' }, sha256: sha256Text },
  },
} as const

/** What `.foundry/plugins.json` holds; nothing where it is not there, or not what was written. */
export async function readRemembered(path: string): Promise<RememberedCode> {
  if (!existsSync(path)) return {}
  const read = await readDocument(path, { file: '.foundry/plugins.json' })
  return 'document' in read ? (validateDocument(rememberedSchema, read.document).value ?? {}) : {}
}

/** Pure: code that is another than was remembered under the same version. */
export function findChanged(code: readonly FoundCode[], remembered: RememberedCode): Problem[] {
  return code.flatMap(({ name, file, version, sha256 }): Problem[] => {
    const known = Object.hasOwn(remembered, name) ? remembered[name] : undefined
    if (!known || sha256 === undefined || known.sha256 === sha256) return []
    if (version !== undefined && version !== known.version) return []
    return [
      {
        severity: 'error',
        code: 'PLUGIN_CHANGED',
        file,
        message: 'Its code has changed while its version has not, and strictPlugins is set',
        found: `${version ?? 'no version'} with sha256 ${sha256.slice(0, 12)}, known is ${known.sha256.slice(0, 12)}`,
        allowed: 'a new version in its plugin.yaml, or the code as it was',
      },
    ]
  })
}

/** Remembers code that is used; writes only what is new. Throws FILE_WRITE_FAILED. */
export async function rememberCode(path: string, code: readonly Omit<FoundCode, 'file'>[]): Promise<void> {
  const before = await readRemembered(path)
  const now = Object.fromEntries(
    code.flatMap(({ name, version = '', sha256 }) => (sha256 === undefined ? [] : [[name, { version, sha256 }]])),
  )
  const after = { ...before, ...now }
  if (JSON.stringify(after) !== JSON.stringify(before)) await replaceFile(path, `${JSON.stringify(after, null, 2)}\n`)
}
