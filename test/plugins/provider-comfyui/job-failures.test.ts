import t from 'tap'
import { failureOfExecution } from '../../../plugins/provider-comfyui/job-failures.js'

const messages: Record<string, [string, string]> = {
  'folders of the server': [
    "[Errno 2] No such file: '/srv/comfy ui/models/loras/a.safetensors' or C:\\models\\vae\\b.pt",
    "[Errno 2] No such file: '…/a.safetensors' or …/b.pt",
  ],
  'words with slashes': ['expected and/or 1/2 of it', 'expected and/or 1/2 of it'],
  lines: ['first\n  second\n', 'first second'],
}
for (const [title, [given, told]] of Object.entries(messages)) {
  t.test(`failureOfExecution tells a message in short: ${title}`, async t => {
    const failure = failureOfExecution({ node_id: '4', node_type: 'Any', exception_message: given })
    t.equal(failure.message, `Node 4 (Any) failed: ${told}`)
  })
}

t.test('failureOfExecution names the model files that could not be used, and no other input', async t => {
  const error = {
    node_id: '4',
    node_type: 'CheckpointLoaderSimple',
    exception_type: 'safetensors_rust.SafetensorError',
    exception_message: 'header too small',
    current_inputs: { ckpt_name: ['sd15/base.safetensors'], text: ['a secret garden'], strength: [0.5] },
  }
  const failure = failureOfExecution(error)
  t.equal(failure.reason, 'missing-model')
  t.equal(failure.message, 'Node 4 (CheckpointLoaderSimple) failed with sd15/base.safetensors: header too small')
  const other = failureOfExecution({ ...error, exception_type: 'RuntimeError' })
  t.equal(other.message, 'Node 4 (CheckpointLoaderSimple) failed: header too small')
  for (const current_inputs of [{}, [], null, 'x.safetensors', { ckpt_name: 'plain.ckpt' }])
    t.match(failureOfExecution({ ...error, current_inputs }).message, /^Node 4 .*: header too small$/)
})

t.test('failureOfExecution bounds what it tells', async t => {
  for (const exception_message of ['x'.repeat(1_000_000), '/'.repeat(100_000), '/a'.repeat(100_000)]) {
    t.ok(failureOfExecution({ exception_message }).message.length < 600)
  }
})
