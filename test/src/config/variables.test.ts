import t from 'tap'
import { fromEnvironment, isVariable } from '../../../src/config/variables.js'

t.test('isVariable knows a name that stands alone', async t => {
  for (const text of ['${A}', '${_a_9}']) t.ok(isVariable(text), text)
  for (const text of ['', 'A', '$A', '${}', '${9A}', '${A-B}', ' ${A}', '${A}b', '${A}${B}'])
    t.notOk(isVariable(text), text)
})

t.test('fromEnvironment takes every variable of a value, and tells those that are not set', async t => {
  const take = (value: string | undefined, env: NodeJS.ProcessEnv) => {
    const told: unknown[] = []
    return { value: fromEnvironment(value, { env, path: 'api.token', tell: problem => told.push(problem) }), told }
  }
  t.strictSame(take('${A}-${B}-${A}', { A: '1', B: '2' }), { value: '1-2-1', told: [] })
  t.strictSame(take('plain ${9}', {}), { value: 'plain ${9}', told: [] })
  t.strictSame(take(undefined, {}), { value: undefined, told: [] })
  const unset = { severity: 'error', code: 'CONFIG_VARIABLE_UNSET', message: 'The variable B is not set' }
  t.strictSame(take('${A} ${B}', { A: '1' }), { value: '1 ', told: [{ ...unset, path: 'api.token' }] })
})
