import t from 'tap'
import type { Binding } from '../../../src/schema/binding.js'
import type { Parameter, ParameterValue } from '../../../src/schema/parameter.js'
import { prepareBinding } from '../../../src/workflow/bind.js'
import { checkBinding } from '../../../src/workflow/check-binding.js'
import { describeParameter, readParameterValues, settledParameters } from '../../../src/workflow/parameter-values.js'
import { frozen, readExpected, readSample } from './samples.js'

const at = { node: '3', input: 'cfg' }
const number: Parameter = { ...at, type: 'number', min: 1, max: 20 }
const integer: Parameter = { ...at, type: 'integer', min: 1 }
const choice: Parameter = { ...at, type: 'choice', choices: ['euler', 'a, b', 2] }
const text: Parameter = { ...at, type: 'text' }
const boolean: Parameter = { ...at, type: 'boolean' }

type Read = [Parameter, ParameterValue[], ParameterValue[], ParameterValue[]]
const cases: Record<string, Read> = {
  'numbers from words': [number, ['5, 6.5', 8], [5, 6.5, 8], []],
  'only numbers in their range': [number, ['0.5', 21, '1', 'x', '', true], [1], ['0.5', 21, 'x', '', true]],
  'only whole numbers': [integer, ['3', 4.5, 1e300], [3], [4.5, 1e300]],
  'choices, those with commas whole': [choice, ['euler,2', 'a, b', 'heun'], ['euler', 2, 'a, b'], ['heun']],
  'a text as it is': [text, ['a, b', 7], ['a, b', '7'], []],
  switches: [boolean, ['true,false', true, 'yes', 'constructor'], [true, false, true], ['yes', 'constructor']],
}

for (const [title, [parameter, asked, values, wrong]] of Object.entries(cases))
  t.test(`readParameterValues takes ${title}`, async t => {
    t.strictSame(readParameterValues(parameter, asked), { values, wrong })
  })

t.test('describeParameter says what is taken', async t => {
  const said = [number, integer, choice, text, boolean].map(describeParameter)
  t.strictSame(said, ['a number from 1 to 20', 'a whole number from 1', 'euler, a, b, 2', 'a text', 'true, false'])
})

const graph = frozen(readSample('sd15-plain'))
const { binding } = readExpected('sd15-plain') as { binding: Binding } // a file of ours, written for tests
const withParameters = (parameters: Record<string, Parameter>): Binding => ({ ...binding, parameters })

t.test('settledParameters takes what is set, else the default, and nothing of a foreign prototype', async t => {
  const bound = withParameters({ a: { ...number, default: 7 }, b: number, constructor: integer })
  t.strictSame(settledParameters(bound, { b: 3 }), { a: 7, b: 3 })
  t.strictSame(settledParameters(bound, { a: 2 }), { a: 2 })
})

t.test('prepareBinding sets parameters in the graph, and leaves the others as they are', async t => {
  const values = { positive: 'p', negative: 'n', width: 512, height: 512, loras: [] }
  const bound = withParameters({ cfg: number, denoise: { node: '3', input: 'denoise', type: 'number' } })
  const { graph: result } = prepareBinding(graph, bound, { ...values, parameters: { cfg: 3.5 } })
  t.equal(result['3']?.inputs['cfg'], 3.5)
  t.equal(result['3']?.inputs['denoise'], graph['3']?.inputs['denoise'])
})

const faults: Record<string, { parameter: Parameter; name?: string; problem: object }> = {
  'a node that is not there': {
    parameter: { ...number, node: '77' },
    problem: { code: 'WORKFLOW_NODE_UNKNOWN', path: 'parameters.p.node' },
  },
  'an input that the node lacks': {
    parameter: { ...number, input: 'cfgg' },
    problem: { code: 'WORKFLOW_INPUT_UNKNOWN', path: 'parameters.p.input', allowed: /cfg/ },
  },
  'an input that every picture sets': {
    parameter: { node: '3', input: 'seed', type: 'integer' },
    problem: { code: 'WORKFLOW_INPUT_TWICE', path: 'parameters.p', message: /seed\[0\]/ },
  },
  'a model, which decides where a job runs': {
    parameter: { node: '4', input: 'ckpt_name', type: 'text' },
    problem: { code: 'WORKFLOW_INPUT_TWICE', message: /models\[0\]/ },
  },
  'a number on a text': {
    parameter: { node: '3', input: 'sampler_name', type: 'number' },
    problem: { code: 'WORKFLOW_INPUT_UNFIT' },
  },
  'a choice without choices': {
    parameter: { ...at, type: 'choice' },
    problem: { code: 'PARAMETER_UNFIT', path: 'parameters.p.choices' },
  },
  'choices of a number': { parameter: { ...number, choices: [1] }, problem: { path: 'parameters.p.choices' } },
  'a range of words': {
    parameter: { node: '3', input: 'sampler_name', type: 'text', min: 1 },
    problem: { path: 'parameters.p' },
  },
  'a range that is empty': { parameter: { ...number, min: 30 }, problem: { path: 'parameters.p.min' } },
  'a default outside of its range': {
    parameter: { ...number, default: 40 },
    problem: { path: 'parameters.p.default', found: '40', allowed: 'a number from 1 to 20' },
  },
  'a name with blanks': { parameter: number, name: 'my cfg', problem: { path: 'parameters.my cfg' } },
}

for (const [title, { parameter, name = 'p', problem }] of Object.entries(faults))
  t.test(`checkBinding tells ${title}`, async t => {
    const problems = checkBinding(graph, withParameters({ [name]: parameter }))
    t.match(problems, [{ severity: 'error', ...problem }])
  })

t.test('checkBinding lets a parameter stand on what is only told of the sampler', async t => {
  t.strictSame(checkBinding(graph, withParameters({ cfg: number, sampler: { ...choice, input: 'sampler_name' } })), [])
})
