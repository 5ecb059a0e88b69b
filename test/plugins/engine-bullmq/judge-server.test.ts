import t from 'tap'
import { judgeServer } from '../../../plugins/engine-bullmq/judge-server.js'

const safe = 'aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n'
const cases: Record<string, { info: string; found: object; warnings?: RegExp[] }> = {
  'finds nothing wrong with a safe Redis 7': { info: `# Server\r\nredis_version:7.0.15\r\n${safe}`, found: {} },
  'knows a Valkey by the Redis that it equals': {
    info: `redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n${safe}`,
    found: { version: '7.2.4' },
  },
  'takes version 10 for a later one': { info: `redis_version:10.0.1\r\n${safe}`, found: {} },
  'warns of 6.2': { info: `redis_version:6.2.14\r\n${safe}`, found: {}, warnings: [/older than 7/] },
  'refuses 6.0': { info: `redis_version:6.0.16\r\n${safe}`, found: { version: '6.0.16', isTooOld: true } },
  'tells a policy that evicts': {
    info: 'redis_version:7.0.15\r\naof_enabled:1\r\nmaxmemory_policy:volatile-ttl\r\n',
    found: { evicts: 'volatile-ttl' },
  },
  'warns where there is no append-only file': {
    info: 'redis_version:7.0.15\r\naof_enabled:0\r\nmaxmemory_policy:noeviction\r\n',
    found: {},
    warnings: [/appendonly yes/],
  },
  'warns of what is not told': {
    info: '',
    found: { version: 'unknown' },
    warnings: [/maxmemory-policy/, /append-only/],
  },
}
for (const [title, { info, found, warnings = [] }] of Object.entries(cases)) {
  t.test(`judgeServer ${title}`, async t => {
    const judgement = judgeServer(info)
    t.match(judgement, { isTooOld: false, evicts: undefined, ...found })
    t.equal(judgement.warnings.length, warnings.length)
    t.match(judgement.warnings, warnings)
  })
}
