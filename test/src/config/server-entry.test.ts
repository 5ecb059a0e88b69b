import t from 'tap'
import {
  findSecrets,
  resolveOptions,
  resolveServer,
  sameAddresses,
  server,
  shownAddress,
  shownOptions,
} from '../../../src/config/server-entry.js'

t.test('resolveServer takes secrets from the environment, and names what is wrong', async t => {
  const entry = server({ name: 'a', url: 'https://a', token: '${ONE}', headers: { 'x-key': 'Key ${TWO}' } })
  t.match(resolveServer(entry, { ONE: '1', TWO: '2' }), {
    entry: { token: '1', headers: { 'x-key': 'Key 2' }, depth: 2 },
    problems: { length: 0 },
  })
  t.match(resolveServer({ ...entry, url: 'gpu2:8188' }, { ONE: '1' }).problems, [
    { code: 'CONFIG_URL_INVALID', path: 'url', found: 'gpu2:8188', allowed: /http:\/\/gpu2:8188/ },
    { code: 'CONFIG_VARIABLE_UNSET', path: 'headers.x-key', message: /TWO/ },
  ])
})

t.test('sameAddresses finds servers that are listed twice', async t => {
  const servers = [
    { name: 'a', url: 'http://gpu:8188' },
    { name: 'b', url: 'http://gpu:8188/' },
    { name: 'c', url: 'http://gpu:8188/comfy' },
    { name: 'd', url: 'https://gpu:8188' },
    { name: 'e' },
    { name: 'f', url: 'http://127.0.0.1:8188' },
    { name: 'g', url: 'draft' },
    { name: 'h', url: 'draft' },
    { name: 'i', url: 'no address' },
    { name: 'j', provider: 'hosted' },
    { name: 'k', provider: 'hosted' },
    { name: 'l', provider: 'other' },
  ].map(entry => ({ provider: 'comfyui', ...entry }))
  t.strictSame(sameAddresses(servers), [
    ['a', 'b'],
    ['e', 'f'],
    ['j', 'k'],
  ])
})

t.test('findSecrets finds each secret that is written out, and repeats none', async t => {
  const secret = 'abcdef123'
  const cases = [
    [{ token: '${GPU2_TOKEN}' }, []],
    [{ token: secret }, ['token']],
    [{ token: `\${GPU2_TOKEN}${secret}` }, ['token']],
    [{ headers: { authorization: 'Basic ${GPU2_LOGIN}' } }, []],
    [{ headers: { authorization: `Basic ${secret}`, 'x-key': '${KEY}' } }, ['headers.authorization']],
    [{ url: `http://user:${secret}@gpu2:8188` }, ['url']],
    [{ url: `http://gpu2:8188/?key=${secret}` }, ['url']],
    [{ url: 'http://gpu2:8188/prefix' }, []],
  ] as const
  for (const [entry, paths] of cases) {
    const found = findSecrets(server({ name: 'gpu2', ...entry }))
    t.strictSame(
      found.map(({ path }) => path),
      paths,
      JSON.stringify(entry),
    )
    t.notMatch(JSON.stringify(found), secret)
    for (const { allowed } of found) t.match(allowed, /\$\{NAME\}/)
  }
})

t.test('shownAddress hides what may be secret', async t => {
  t.equal(shownAddress('http://user:pass@gpu2:8188/comfy?key=1'), 'http://gpu2:8188/comfy')
  for (const url of ['http://gpu2:8188', 'http://gpu2:8188/', 'draft']) t.equal(shownAddress(url), url)
})

t.test('resolveOptions takes secrets of an engine from the environment', async t => {
  const options = { url: 'redis://:${PASSWORD}@host', timeoutSeconds: 5 }
  t.strictSame(resolveOptions(options, { PASSWORD: 'secret' }), {
    options: { url: 'redis://:secret@host', timeoutSeconds: 5 },
    problems: [],
  })
  t.match(resolveOptions(options, {}).problems, [{ code: 'CONFIG_VARIABLE_UNSET', path: 'engine.options.url' }])
})

t.test('shownOptions leaves out what is secret and written out', async t => {
  const shown = { url: 'redis://host:6379/1', prefix: 'p', password: '${PASSWORD}', timeoutSeconds: 5 }
  t.strictSame(shownOptions(shown), shown)
  t.strictSame(shownOptions({ url: 'redis://:${PASSWORD}@host' }), { url: 'redis://:${PASSWORD}@host' })
  t.strictSame(shownOptions({ url: 'redis://:$%7bPASSWORD%7D@host' }), { url: 'redis://:$%7bPASSWORD%7D@host' })
  t.strictSame(shownOptions({ url: 'redis://:%7B%zz@host' }), {})
  t.strictSame(shownOptions({ url: 'redis://:secret@host', password: 'secret', prefix: 'p' }), { prefix: 'p' })
})
