/** Files that the foundry and the systems around it write or keep, and that look like drops by their ending. */
const otherNames = new Set([
  'foundry.yaml',
  'foundry.yml',
  'image_manifest.json',
  'manifest.json',
  'report.json',
  'run.json',
  'style.yaml',
  'style.yml',
  'talent.json',
  'prompts.json',
  'package.json',
  'package-lock.json',
])

/** Endings of files that stand beside others, and of files that are still being written. */
const otherEndings =
  /(?:\.problems|\.ready|\.trace|\.template|\.binding|\.schema|\.tmp|\.temp|\.part|\.partial|\.crdownload|\.download|\.swp|\.bak|~)\.(?:json|ya?ml)$/

/** Whether a file's name, without its folder, is that of a drop: JSON or YAML, not hidden, not half written. */
export function isDropName(name: string): boolean {
  const plain = name.toLowerCase()
  if (!/\.(?:json|ya?ml)$/.test(plain) || /^[.~#]/.test(plain)) return false
  return !otherNames.has(plain) && !otherEndings.test(plain)
}
