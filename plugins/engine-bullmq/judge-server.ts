/** What `INFO` of a Redis or a Valkey says about whether jobs are safe in it. */
export interface Judgement {
  version: string
  isTooOld: boolean
  /** The policy, where it lets Redis throw jobs away. */
  evicts: string | undefined
  warnings: string[]
}

export const oldestVersion = '6.2'
const testedVersion = '7'

/** Pure: reads the answer to `INFO`. */
export function judgeServer(info: string): Judgement {
  const facts = new Map(
    info.split(/\r?\n/).flatMap(line => {
      const at = line.indexOf(':')
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()] as const] : []
    }),
  )
  const version = facts.get('redis_version') ?? 'unknown'
  const policy = facts.get('maxmemory_policy')
  const isTooOld = isBelow(version, oldestVersion)
  const warnings: string[] = []
  if (!isTooOld && isBelow(version, testedVersion)) warnings.push('redis is older than 7')
  if (policy === undefined) warnings.push('redis does not tell its maxmemory-policy, which must be noeviction')
  if (facts.get('aof_enabled') !== '1') {
    warnings.push('redis keeps no append-only file: after its crash, jobs are offered again; set "appendonly yes"')
  }
  return { version, isTooOld, evicts: policy === undefined || policy === 'noeviction' ? undefined : policy, warnings }
}

/** A version that is none is not below anything. */
function isBelow(version: string, other: string): boolean {
  const [major = NaN, minor = 0] = version.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}
