import t from 'tap'
import { redact, scan } from '../../../src/library/privacy.js'

/** Text by the kind that it holds; the part between « and » is what must go. */
const positives: Record<string, readonly string[]> = {
  email: [
    'write to «jane.doe@example.com» soon',
    '«JANE_DOE+news@mail.example.co.uk»',
    'mailto:«a@b.de»',
    "<«o'brien@example.ie»>",
    'päivi: «päivi@esimerkki.fi»',
    'it is «jane dot doe at gmail dot com», you know',
    '«jane (at) example (dot) org»',
    '«jane[at]example[dot]net»',
    '«x@sub.sub.sub.example.museum»,',
  ],
  phone: [
    'call «+1 415 555 0123» now',
    '«+49 30 1234567»',
    '«+44 (0)20 7946 0958»',
    '«+919876543210»',
    '«0049 171 2345678»',
    '«(415) 555-0123»',
    '«415-555-0123»',
    '«415.555.0123»',
    '«1-800-555-0199»',
    '«555-0123» after six',
    '«030 1234567»',
    '«0171 2345678»',
    '«01 23 45 67 89»',
    '«07911 123456»',
    '«612 345 678»',
    '«98765 43210»',
    '«22 33 44 55»',
    'my number is «5550 1234»',
    'phone: «1234567»',
    '«+33 6 12 34 56 78»',
    'jane,«415-555-0123»,home',
    '«415-555-0123»x12',
  ],
  card: [
    '«4111 1111 1111 1111»',
    '«4111111111111111»',
    '«5500-0000-0000-0004»',
    '«3782 822463 10005»',
    'paid with «6011 1111 1111 1117» 12/26',
  ],
  iban: [
    '«DE89 3704 0044 0532 0130 00»',
    '«GB29NWBK60161331926819»',
    'to «FR14 2004 1010 0505 0001 3M02 606» please',
    '«de89370400440532013000»',
    '«NL91 ABNA 0417 1643 00» BIC',
  ],
  id: [
    'ssn «123-45-6789»',
    'it is «123 45 6789»',
    'EIN «12-3456789»',
    'CPF «123.456.789-09»',
    'CPR «010190-1234»',
    'NINO «AB 12 34 56 C»',
    'DNI «12345678Z»',
    'NIE «X1234567L»',
    '«RSSMRA85T10A562S»',
    'passport «C01X00T47»',
    '«AB1234567»',
    'account number «8812734»',
    'policy no. «PX-12-881»',
    'customer id: «99812»',
    'device «00:1A:2B:3C:4D:5E»',
    'my pin is «4711»',
  ],
  ip: ['host «192.168.1.20»', '«10.0.0.1»:8188', '«2001:db8::8a2e:370:7334»', '«fe80::1%eth0»', '«255.255.255.255»'],
  address: [
    'at «42 Maple Street»',
    '«1600 Pennsylvania Ave.», Washington',
    '«221B Baker Street»',
    '«12 East 42nd St, Apt 5b»',
    'on «7 harbour view road», you know',
    '«Hauptstraße 12a», Berlin',
    '«Lindenallee 5»',
    '«12 rue de la Paix»',
    '«Calle de Alcalá, 42»',
    '«Via Roma 10»',
    '«P.O. Box 1234»',
    '«SW1A 1AA»',
    'Reno, «NV 89501»',
    '«94110-1234»',
  ],
  url: ['«https://jane:secret@example.com/private»', '«ftp://jane@host/file»'],
  path: [
    '«C:\\Users\\jane\\call.wav»',
    '«/home/jane/calls»',
    '«/Users/jane/Desktop/x.png»',
    'from «jane_doe_2024-01-14.wav»',
    '«calls/2024/jane.mp3»',
  ],
  number: [
    '«123456789012»',
    '«1234 5678 9012»',
    'ref «987654321»',
    '«four one five five five five oh one two three»',
    '«1 85 05 78 006 084 36»',
    `«${'7'.repeat(50)}»`,
    'rec_«4155550123»_1',
  ],
}

for (const [kind, texts] of Object.entries(positives))
  for (const marked of texts)
    t.test(`redact takes ${kind} out of ${marked}`, async t => {
      const text = marked.replaceAll(/[«»]/g, '')
      t.equal(redact(text).text, marked.replace(/«[^]*»/, `[${kind}]`))
      t.strictSame(scan(text), [{ kind, count: 1 }])
      t.equal(redact(redact(text).text).text, redact(text).text, 'twice is the same as once')
    })

const disguised: Record<string, readonly string[]> = {
  card: [
    '4111–1111–1111–1111',
    '4111\n1111\n1111\n1111',
    '４１１１ １１１１ １１１１ １１１１',
    '4111\u{2009}1111\u{2009}1111\u{2009}1111',
  ],
  phone: [
    '+49\t171\t1234567',
    '０９０－１２３４－５６７８',
    '+1 415\u{00ad}555\u{00ad}0132',
    '415\u{202f}555\u{202f}0132',
  ],
  email: ['jane@exam\u{200b}ple.com', 'ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ'],
}
for (const [kind, texts] of Object.entries(disguised))
  for (const text of texts)
    t.test(`redact takes ${kind} out of ${JSON.stringify(text)}`, async t => {
      const { text: clean, found } = redact(`it is ${text}, I think`)
      t.equal(clean, `it is [${kind}], I think`)
      t.strictSame(found, [{ kind, count: 1 }])
      t.equal(redact(clean).text, clean, 'twice is the same as once')
    })

t.test('redact leaves the spelling of words alone that hold nothing', async t => {
  for (const text of ['東京　ｔｏｗｅｒ', 'a – b — c', 'family 👩\u{200d}👧', 'ﬁne art, ½ body\n\tnext line'])
    t.strictSame(redact(text), { text, found: [] })
})

const negatives = [
  'a young ranger with short silver hair',
  'in 1985 and in 2026',
  'born 1985-04-12',
  'on 14.01.2026 at 10:15',
  'on 01/14/2026 at 10:15:30',
  'run-20260114-101500',
  '20260114',
  '2026-01-14T10:15:00Z',
  '[00:00:01.000 --> 00:00:05.400] S01: hello',
  'from 00:12:30 to 01:10:05',
  '1024x1536 pixels',
  '1920 1080',
  '1,250,000 people',
  '1 250 000 people',
  '1.250.000 people',
  '$12,500.00',
  'costs 19.99',
  '3.14159265358979',
  '1e-4 and 0.0001',
  'version 1.2.3',
  'version 10.15.7-beta.2',
  'Node 20.19',
  'seed 7',
  'seed 123456',
  'img_20260114_101500',
  '1,250,000,000 stars',
  'a,1,2,3,4,5,6',
  '<lora:mecha:0.8>',
  '(masterpiece:1.2), best quality',
  'S00 and S01',
  'call-0142 S00',
  'call_0007',
  'avatar.style.mecha',
  'avatar.identity.dot_aurora',
  '#1F6F78 and #F2C14E',
  'palette #1F6F78, #F2C14E',
  '1F6F78A0',
  'look at me',
  'meet at noon',
  'at home with two dogs',
  'we met at the dot on the map',
  'user@host',
  '@ the market',
  'a @ b',
  'five people walking down the street',
  '5 people walking down the street',
  '2 men on the road',
  'a long and winding road',
  'the way to the court',
  'a square face, close to the wall',
  'Main Street in autumn',
  'the place was full',
  'she is 34 years old and 170 cm tall',
  '90-60-90',
  '10 20 30 40 50 fingers',
  'one two three',
  'two of three',
  'https://example.com/cap',
  'see http://example.com:8188/queue?x=1',
  'std::vector and Foo::bar',
  'ratio 16:9',
  'time 10:15:30',
  'CFG 7.5, 30 steps',
  'models/SDXL/boo.safetensors',
  'SDXL\\Boo\\MisterBoo.safetensors',
  'DE is the code of Germany',
  'GB29 is not an account',
  'R2D2 and C3PO',
  'the case is closed',
  'order of the day',
  'ticket to ride',
  'account of the journey',
  'page 12 of 340',
  'B-52 and F-16',
  'ISO 9001',
  'RGB 255 128 64',
  'lens 24-70 f/2.8',
  '50mm f1.4 lens at 1/250',
  'the years 1990-2000',
  '12-24 hours',
  '[email] and [phone]',
  '20 % of 1000',
  'x^2 + y^2',
  'a~b~c {x|y}',
]
for (const text of negatives)
  t.test(`redact leaves alone: ${text}`, async t => t.strictSame(redact(text), { text, found: [] }))

t.test('redact counts every kind', async t => {
  const { text, found } = redact('a@b.de, c@d.de, +1 415 555 0123')
  t.equal(text, '[email], [email], [phone]')
  t.strictSame(found, [
    { kind: 'email', count: 2 },
    { kind: 'phone', count: 1 },
  ])
})

const hostile = {
  digits: '1'.repeat(100_000),
  'digits apart': '1 '.repeat(50_000),
  'short groups': '12-'.repeat(33_333),
  'groups of four': '4111 '.repeat(20_000),
  'at signs': '@'.repeat(100_000),
  'at signs with letters': 'a@'.repeat(50_000),
  dots: 'a.'.repeat(50_000),
  'mail without end': `${'a'.repeat(50_000)}@${'a'.repeat(50_000)}`,
  'words with at': 'a at '.repeat(20_000),
  'words with dot': 'a dot '.repeat(16_000),
  colons: 'a:'.repeat(50_000),
  schemes: 'a://'.repeat(25_000),
  brackets: '('.repeat(100_000),
  spaces: ' '.repeat(100_000),
  'streets without end': '1 Aaa '.repeat(16_000),
  'capital words': 'Calle De '.repeat(11_000),
  ibans: 'DE89'.repeat(25_000),
  slashes: '/'.repeat(100_000),
  backslashes: 'a:\\'.repeat(33_000),
  letters: 'A'.repeat(100_000),
  'number words': 'one '.repeat(25_000),
  'account words': 'account number '.repeat(6_600),
  'pairs of hex': 'aa:'.repeat(33_333),
}
for (const [title, text] of Object.entries(hostile))
  t.test(`redact passes over 100 kB of ${title} within 50 ms`, async t => {
    redact(text.slice(0, 1000))
    const times = [1, 2, 3].map(() => {
      const start = process.cpuUsage()
      redact(text)
      const { user, system } = process.cpuUsage(start)
      return (user + system) / 1000
    })
    t.ok(Math.min(...times) <= 50, `${Math.min(...times)} ms`)
  })
