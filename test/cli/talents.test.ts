import t from 'tap'
import { foundry, foundryJson } from './foundry.js'
import { makeAdapter } from '../make-adapters.js'
import { makeLora } from '../make-weights.js'
import { describedTalent } from '../src/library/sample-talent.js'

const peft = makeAdapter({ family: 'sd15', form: 'peft', rank: 4, seed: 1, prefix: 'base_model.model.' })
const kohya = makeAdapter({ family: 'sd15', form: 'kohya', rank: 4, seed: 1, alpha: 2 })

function kit(id: string, weights: Buffer) {
  return { 'talent.json': JSON.stringify({ id, ...describedTalent }), 'weights.safetensors': weights }
}

t.test('talents check says what ComfyUI does, and what to type', async t => {
  const dir = t.testdir({
    'foundry.yaml': '',
    'good.safetensors': kohya,
    'peft.safetensors': peft,
    'mock.safetensors': '# Mock weights file\n',
    talents: { avatar: { 'avatar.style.ink': kit('avatar.style.ink', peft) } },
    empty: {},
  })
  const call = { cwd: dir }
  t.match(await foundry(['talents', 'check', 'good.safetensors'], call), {
    code: 0,
    out: /loads whole \(3 of 3 layers[^]*alpha +2; the strength is multiplied by 0\.5/,
  })
  t.match(await foundry(['talents', 'check', 'peft.safetensors'], call), {
    code: 1,
    out: /does nothing[^]*passed over +3 layers, since PEFT[^]*next: foundry talents convert peft\.safetensors --to peft-comfyui\.safetensors/,
  })
  t.match(await foundry(['talents', 'check'], call), {
    code: 1,
    out: /next: foundry talents convert avatar\.style\.ink --replace/,
  })
  t.match(await foundryJson(['talents', 'check', 'talents', 'avatar.style.ink'], call), {
    code: 1,
    answer: { failed: 2, files: [{ inspection: { verdict: 'nothing' } }, { kit: 'avatar.style.ink' }] },
  })
  t.match(await foundry(['talents', 'check', 'good.safetensors', 'mock.safetensors'], call), {
    code: 1,
    out: /2 files, of which 1 /,
    err: /mock\.safetensors: not a safetensors file/,
  })
  t.match(await foundry(['talents', 'check', 'gone.safetensors'], call), { code: 2, err: /there is no such file/ })
  t.match(await foundry(['talents', 'check', 'empty'], call), { code: 2, err: /no kit lies in this folder/ })
  t.match(await foundry(['talents', 'check', 'avatar.style.none'], call), {
    code: 2,
    err: /known are avatar\.style\.ink/,
  })
})

t.test('talents convert writes what ComfyUI reads, and replaces only when asked', async t => {
  const dir = t.testdir({
    'foundry.yaml': '',
    'peft.safetensors': peft,
    'good.safetensors': kohya,
    talents: { avatar: { 'avatar.style.ink': kit('avatar.style.ink', peft) } },
  })
  const call = { cwd: dir }
  const convert = (...words: string[]) => foundry(['talents', 'convert', ...words], call)
  t.match(await convert('peft.safetensors', '--to', 'new.safetensors'), {
    code: 0,
    out: /renamed +6 tensors[^]*added +3 alphas[^]*read before +0 of 3 layers[^]*read now +3 of 3[^]*SHA-256 before[^]*SHA-256 now[^]*AutoV3 now/,
  })
  t.match(await foundry(['talents', 'check', 'new.safetensors'], call), { code: 0, out: /loads whole/ })
  t.match(await convert('good.safetensors', '--to', 'same.safetensors'), { code: 0, out: /stays as it is/ })
  t.match(await convert('peft.safetensors'), { code: 2, err: /--to FILE, or .*--replace/ })
  t.match(await convert('peft.safetensors', '--replace'), { code: 2, err: /is no kit/ })
  t.match(await convert('peft.safetensors', '--to', 'good.safetensors'), { code: 2, err: /is there already/ })

  t.match(await convert('avatar.style.ink', '--replace', '--dry-run'), { code: 0, out: /would be written/ })
  t.match(await foundry(['talents', 'check', 'avatar.style.ink'], call), { code: 1 })
  t.match(await foundryJson(['talents', 'convert', 'avatar.style.ink', '--replace'], call), {
    code: 0,
    answer: { isWritten: true, renamed: 6, kept: /weights-[0-9a-f]{12}\.safetensors$/, after: { verdict: 'loads' } },
  })
  t.match(await foundry(['talents', 'check', 'avatar.style.ink'], call), { code: 0 })
  const { err } = await foundry(['talents', 'validate'], call)
  t.notMatch(err, /passes over/)
})

t.test('talents init makes a kit of a file, which validates', async t => {
  const dir = t.testdir({ 'foundry.yaml': '', 'peft.safetensors': peft, 'good.safetensors': kohya, bare: {} })
  const call = { cwd: dir }
  const init = (...words: string[]) => foundry(['talents', 'init', ...words], call)
  t.match(await init('avatar.style.ink', '--from', 'good.safetensors', '--license', 'MIT'), {
    code: 0,
    out: /avatar\.style\.ink +\S+avatar\/avatar\.style\.ink\n +base model[^]*next: foundry talents check/,
    err: /taken: base model/,
  })
  t.match(await foundry(['talents', 'validate'], call), { code: 0, out: /1 of 1 kits can be used\n/, err: '' })
  t.match(await init('avatar.style.ink', '--from', 'good.safetensors'), { code: 2, err: /is there already/ })
  t.match(await init('avatar.identity.kairo', '--from', 'good.safetensors'), { code: 2, err: /--token WORD/ })
  t.match(await init('avatar.style.x', '--from', 'gone.safetensors'), {
    code: 2,
    err: /gone\.safetensors: is not there/,
  })
  t.match(await init('avatar.style.x', '--from', 'good.safetensors', '--weight', '3'), { code: 2, err: /from 0 to 2/ })
  const words = ['talents', 'init', 'avatar.style.x', '--from', 'peft.safetensors', '--to', 'avatar.style.x']
  const { answer } = await foundryJson<{ next: string }>(words, call)
  t.match(answer, { talent: { lora_rank: 4 }, next: /^foundry talents convert \S+ --replace$/ })
  t.match(await foundry(answer.next.split(' ').slice(1), call), { code: 0 }, 'what is proposed can be typed')
  t.match(await foundry(['talents', 'check', 'avatar.style.x'], call), { code: 0, out: /loads whole/ })
})

t.test('kits of FLUX.1 and SD3 are made, listed, deployed, and mixed into pictures of their family alone', async t => {
  const dir = t.testdir({
    'foundry.yaml': '',
    'flux.safetensors': makeLora({ family: 'flux', rank: 4, seed: 1 }),
    'sd3.safetensors': makeAdapter({ family: 'sd3', form: 'kohya', rank: 4, seed: 1 }),
    'kairo.yaml': 'dot_id: kairo\nversion: 1.0.0\ndescription: a tall keeper\n',
    talents: {},
    loras: {},
  })
  const call = { cwd: dir }
  const [id, style] = ['avatar.identity.dot_kairo', 'avatar.style.ink']
  const init = (...words: string[]) => foundry(['talents', 'init', ...words], call)
  t.match(await init(id, '--from', 'flux.safetensors', '--token', 'kairo'), { code: 0 })
  t.match(await init(style, '--from', 'sd3.safetensors'), { code: 2, err: /SD3 comes in several sizes/ })
  const medium = ['--base-model', 'stabilityai/stable-diffusion-3.5-medium']
  t.match(await init(style, '--from', 'sd3.safetensors', ...medium), { code: 0 })
  t.match(await foundryJson(['talents', 'list'], call), {
    answer: {
      talents: [
        { id, family: 'flux', state: 'usable' },
        { id: style, family: 'sd3', state: 'usable' },
      ],
    },
  })
  t.match(await foundryJson(['talents', 'deploy', '--to', 'loras'], call), {
    code: 0,
    answer: { placements: [{ kit: id, state: 'linked' }, { kit: style }] },
  })
  t.match(await foundry(['mix', 'kairo.yaml', '--family', 'flux'], call), { code: 0, out: /identity of kairo\n/ })
  t.match(await foundry(['mix', 'kairo.yaml', '--family', 'sd3'], call), {
    code: 0,
    err: /made for flux, not for sd3: rendered without identity LoRA/,
  })
  const hero = ['--templates', 'hero-portrait', '--draft']
  t.match(await foundryJson(['render', 'kairo.yaml', '--family', 'sd3', ...hero], call), {
    code: 0,
    answer: { rendered: 1 },
  })
})
