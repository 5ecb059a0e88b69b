import type { Problem } from '../errors.js'
import { familyBySdxVersion, type PromptsFile, type TalentFile } from '../schema/talent.js'
import type { LoraFacts } from './lora-header.js'

// Pure: what the parts of a kit say about each other. Each check answers with what is wrong; `path` is a field of talent.json.

/** What `talent.json` promises of its folder and of itself. */
export function checkTalentFile(file: TalentFile, folderName: string): Problem[] {
  return [
    file.id !== folderName &&
      problem('error', 'TALENT_ID_MISMATCH', 'differs from the name of the folder', {
        path: 'id',
        found: file.id,
        allowed: folderName,
      }),
    roleOf(file.id) === 'identity' &&
      file.token === undefined &&
      problem('error', 'TALENT_TOKEN_MISSING', 'an identity talent needs the token that calls it', { path: 'token' }),
    file.created_at !== undefined &&
      !isDateTime(file.created_at) &&
      problem('warning', 'TALENT_DATE_INVALID', 'is not an ISO date and time', {
        path: 'created_at',
        found: file.created_at,
      }),
  ].filter(isProblem)
}

/** What `talent.json` says about the weights, against the weights. */
export function checkWeights(file: TalentFile, { sizeBytes, lora }: { sizeBytes: number; lora: LoraFacts }): Problem[] {
  const sizeMb = sizeBytes / (1024 * 1024)
  const expected = familyBySdxVersion[file.sdx_version]
  const isCertain = lora.candidates.length > 0
  const fits = isCertain ? lora.candidates.includes(expected) : lora.family === expected || lora.family === 'unknown'
  return [
    Math.abs(sizeMb - file.size_mb) > sizeMbTolerance &&
      problem('warning', 'TALENT_SIZE_MISMATCH', 'differs from the size of the weights', {
        path: 'size_mb',
        found: `${file.size_mb}`,
        allowed: sizeMb.toFixed(2),
      }),
    lora.rank !== undefined &&
      lora.rank.usual !== file.lora_rank &&
      problem('warning', 'TALENT_RANK_MISMATCH', 'differs from the rank of the weights', {
        path: 'lora_rank',
        found: `${file.lora_rank}`,
        allowed: `${lora.rank.usual}`,
      }),
    !fits &&
      problem(isCertain ? 'error' : 'warning', 'TALENT_FAMILY_MISMATCH', 'the weights are for another base model', {
        path: 'sdx_version',
        found: `${file.sdx_version}, weights for ${familiesOf(lora)} (${lora.evidence})`,
      }),
  ].filter(isProblem)
}

/** What the weights say about themselves. */
export function checkLora(lora: LoraFacts): Problem[] {
  if (lora.modules === 0)
    return [problem('error', 'TALENT_WEIGHTS_NOT_LORA', 'holds no LoRA: no tensor is named like one')]
  return [
    lora.modulesIgnored > 0 &&
      problem(
        'warning',
        'TALENT_WEIGHTS_IGNORED',
        `ComfyUI passes over ${lora.modulesIgnored} of ${lora.modules} layers without a word, because of how they are named: "foundry talents check" says which, and what helps`,
      ),
    lora.metadataFamily !== undefined &&
      lora.candidates.length > 0 &&
      !lora.candidates.includes(lora.metadataFamily) &&
      problem('warning', 'TALENT_METADATA_CONTRADICTS', 'metadata names another base model than the shapes show', {
        found: lora.metadataFamily,
        allowed: familiesOf(lora),
      }),
  ].filter(isProblem)
}

/** Lines such as `Base model: …` repeat what `talent.json` says. */
export function checkBaseText(text: string, file: TalentFile): Problem[] {
  const expected = new Map([
    ['base model', file.base_model],
    ['sdx version', file.sdx_version],
    ['lora rank', String(file.lora_rank)],
  ])
  return text.split(/\r?\n/).flatMap((line, at) => {
    const colon = line.indexOf(':')
    const [name, found] = [line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim()]
    const allowed = expected.get(name.toLowerCase())
    if (allowed === undefined || allowed === found) return []
    const facts = { found, allowed, line: at + 1 }
    return [problem('warning', 'TALENT_BASE_MISMATCH', `"${name}" differs from talent.json`, facts)]
  })
}

/** An identity is called by its token: prompts without it render somebody else. */
export function checkPrompts(prompts: PromptsFile, { id, token }: TalentFile): Problem[] {
  const [first] = prompts.positive_prompts ?? []
  if (roleOf(id) !== 'identity' || token === undefined || first === undefined || first.includes(token)) return []
  const facts = { path: 'positive_prompts[0]', allowed: `a ${token}` }
  return [problem('warning', 'TALENT_PROMPT_WITHOUT_TOKEN', 'does not call the identity by its token', facts)]
}

/** Examples are looked for only where there is a folder for them. */
export function checkExamples(names: readonly string[]): Problem[] {
  const count = names.filter(name => /\.(?:jpe?g|png)$/i.test(name)).length
  if (count >= examplesMin) return []
  const found = count === 0 ? 'no picture' : `${count} of the ${examplesMin} to 6 pictures that are recommended`
  return [problem('warning', 'TALENT_EXAMPLES_FEW', `examples/ holds ${found}`)]
}

export function roleOf(id: string): 'identity' | 'style' {
  return id.startsWith('avatar.identity.') ? 'identity' : 'style'
}

const sizeMbTolerance = 0.1
const examplesMin = 3

function familiesOf({ family, candidates }: LoraFacts): string {
  return candidates.length > 0 ? candidates.join(' or ') : family
}

/** Talent Factory writes local time without a zone. */
function isDateTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text))
}

function problem(severity: Problem['severity'], code: string, message: string, facts: Partial<Problem> = {}): Problem {
  return { severity, code, message, ...facts }
}

function isProblem(each: Problem | boolean): each is Problem {
  return typeof each === 'object'
}
