/** Forms of text that several files share, each with the words that tell an author what is allowed. */
export const sha256Text = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: '64 digits 0–9 or small letters a–f',
  examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
} as const

export const nameText = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  description: 'Letters, digits, dots, - and _, at most 64, beginning with a letter or digit',
} as const

export const slugText = {
  type: 'string',
  pattern: '^[a-z0-9][a-z0-9-]{0,63}$',
  description: 'Small letters, digits and -, at most 64, beginning with a letter or digit',
} as const

export const versionText = {
  type: 'string',
  maxLength: 128,
  pattern:
    '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$',
  description: 'A semantic version: three numbers, maybe more behind - or +',
  examples: ['1.0.0'],
} as const
