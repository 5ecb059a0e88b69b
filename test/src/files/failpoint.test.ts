import { spawnSync } from 'node:child_process'
import t from 'tap'
import {
  armFailpoints,
  crashPoints,
  failpoint,
  failpointSync,
  faultyLength,
  systemFault,
} from '../../../src/files/failpoint.js'

t.afterEach(() => armFailpoints(''))

t.test('failpoints do nothing unless armed', async t => {
  for (const point of crashPoints) {
    await failpoint(point)
    failpointSync(point)
  }
  t.equal(await faultyLength(10), 10)
  await systemFault('fsync')
  t.equal(crashPoints.length, 14)
})

t.test('an armed failpoint acts every time, or at one time only', async t => {
  armFailpoints('sync=error, linked=ENOSPC@3')
  await t.rejects(failpoint('sync'), { code: 'EIO' })
  await t.rejects(failpoint('sync'), { code: 'EIO' })
  t.throws(() => failpointSync('sync'), { code: 'EIO' })
  await failpoint('linked')
  await failpoint('linked')
  await t.rejects(failpoint('linked'), { code: 'ENOSPC' })
  await failpoint('linked')
  await failpoint('journal')
})

t.test('faults of system calls are told apart', async t => {
  armFailpoints('write=short@2,write=ENOSPC@3,fsync=EIO@1,link=EXDEV')
  t.equal(await faultyLength(10), 10)
  t.equal(await faultyLength(9), 5)
  await t.rejects(faultyLength(10), { code: 'ENOSPC' })
  t.equal(await faultyLength(10), 10)
  await t.rejects(systemFault('fsync'), { code: 'EIO' })
  await systemFault('fsync')
  await t.rejects(systemFault('link'), { code: 'EXDEV' })
})

t.test('a delay holds the point back', async t => {
  armFailpoints('ack=delay:30')
  for (const pass of [() => failpoint('ack'), () => failpointSync('ack')]) {
    const startedAt = performance.now()
    await pass()
    t.ok(performance.now() - startedAt >= 28)
  }
})

t.test('kill ends the process at the point and not before', async t => {
  const module = import.meta.resolve('../../../src/files/failpoint.js')
  for (const call of ["await failpoint('staged')", "failpointSync('staged')"]) {
    const program = `
      const { armFailpoints, failpoint, failpointSync } = await import(${JSON.stringify(module)})
      armFailpoints('staged=kill@2')
      ${call}; process.stdout.write('first')
      ${call}; process.stdout.write('second')`
    const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
    t.same({ signal, stdout }, { signal: 'SIGKILL', stdout: 'first' })
  }
})

t.test('armFailpoints refuses what is no failpoint', async t => {
  for (const spec of [
    'nowhere=kill',
    'staged',
    'staged=',
    'staged=explode',
    'staged=delay',
    'staged=kill:5',
    'sync=short',
    'write=short@x',
  ])
    t.throws(() => armFailpoints(spec), { code: 'USAGE_INVALID' }, spec)
})
