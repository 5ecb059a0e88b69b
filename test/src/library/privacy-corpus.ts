/** Texts that a prompt may be made of: with personal data in them, and without. Written for this test; numbers are made up or reserved. */
export interface PrivateSample {
  text: string
  /** What must not be left. */
  secret: string
  kind: string
}

/** Sentences around personal data; `@` stands for it. */
const frames: readonly string[] = [
  'a portrait of the woman who said: @',
  'ein Porträt, die Sprecherin nannte @ am Ende',
  'un portrait, elle a donné @ avant de raccrocher',
  'un retrato, dijo @ y colgó',
  'un ritratto, ha lasciato @ alla fine',
  'een portret, zij noemde @ twee keer',
  'um retrato, ela disse @ no fim',
  'portret, powiedziała @ na końcu',
  '(masterpiece:1.2), 1girl, "@", soft light',
  '@',
]

const secrets: Readonly<Record<string, readonly string[]>> = {
  email: [
    'ana.lopez@example.com',
    'k.mueller+fotos@post.example.de',
    'o_neill@mail.example.ie',
    'zoë@voorbeeld.example.nl',
    'info@xn--bcher-kva.example',
    'peter dot jones at example dot com',
    'lena (at) example (dot) org',
    'x.y.z@sub.domain.example.co.uk',
  ],
  phone: [
    '+1 202 555 0147',
    '(202) 555-0162',
    '202-555-0119',
    '+44 20 7946 0321',
    '+49 30 23125 014',
    '+33 1 99 00 12 34',
    '+34 612 345 678',
    '+39 06 6982 1234',
    '+48 601 234 567',
    '+351 912 345 678',
    '0171 3920099',
    '06 39 98 12 34',
  ],
  card: ['4111 1111 1111 1111', '5105-1051-0510-5100', '378282246310005', '6011000990139424', '4012 8888 8888 1881'],
  iban: [
    'DE89 3704 0044 0532 0130 00',
    'FR1420041010050500013M02606',
    'GB29 NWBK 6016 1331 9268 19',
    'ES91 2100 0418 4502 0005 1332',
  ],
  address: [
    '14 Maple Street',
    '221B Baker Street',
    'Lindenstraße 12',
    'Goethestr. 7a',
    '8 rue de la Paix',
    'Calle de Alcalá 45',
    'Via Garibaldi 3',
    'Keizersgracht 12, 1015 CJ',
    'ul. Długa 21',
    'PO Box 4471',
  ],
  id: ['123-45-6789', 'AB 12 34 56 C', '529.982.247-25', 'X1234567L', 'RSSMRA85T10A562S', '010190-1234'],
  network: ['192.168.10.24', '2001:db8::8a2e:370:7334', '00:1A:2B:3C:4D:5E', 'https://ana:secret@example.com/feed'],
}

export const privateSamples: readonly PrivateSample[] = Object.entries(secrets).flatMap(([kind, list]) =>
  list.flatMap(secret => frames.map(frame => ({ kind, secret, text: frame.replace('@', () => secret) }))),
)

const subjects: readonly string[] = [
  'a tall keeper of a lighthouse, born in 1962',
  'eine Rangerin mit kurzem silbernem Haar, 34 Jahre alt',
  'une danseuse de 27 ans, robe rouge, yeux verts',
  'un pescador de 60 años con barba blanca',
  'una ragazza di 19 anni, capelli ricci',
  'een oude zeeman met een pijp, 71 jaar',
  'um cozinheiro de 45 anos, avental azul',
  'młoda kobieta, 23 lata, zielony płaszcz',
  '東京の灯台守、三十歳、青いコート',
  '1girl, solo, silver hair, teal coat',
]
const manners: readonly string[] = [
  '(masterpiece:1.2), 8k, f/1.8, 85mm, ISO 200',
  '1024x1536, cfg 6.5, 30 steps, seed 1234567',
  'shot on 2026-01-14 at 10:15, golden hour',
  '#1F6F78 and #F2C14E, 16:9, 4:3',
  'Route 66, Apollo 11, Boeing 747, Porsche 911',
  'costs 1,250,000 euros or $99.95, 50% off',
  'version 1.2.3, sd_xl_base_1.0, lora:0.75',
  'the 1980s, 19th century, 3rd floor, 2nd street of the old town',
  'pi is 3.14159265, 300 km/h, 1.85 m, 72 kg',
  'rule of thirds, depth of field 0.3, noise 0.05, 24 fps',
  'art by @painter, follow #portrait, room 101',
  'between 8 and 12 lanterns, 5 ships, 1,000 stars',
  'Straße im Regen, place de la ville, via lattea, calle mayor',
  '12.01.2026, 14/07/1789, 1984-1990',
  'call of the sea, ring of light, cell shading, mobile phone in hand',
  'a card of the tarot, order of the phoenix, member of the guild 7',
  'tone curve 0,0 0.5,0.6 1,1, gamma 2.2',
  'sweep 0 0.25 0.5 0.75 1, weights 0.35/0.65',
  'ratio 2.39:1, 35 mm film, 1/250 s',
  'email on an old screen, the @ sign in neon',
  'at the dot of noon, dash of colour',
  '10 PM, 7am, 23:59:59',
  'model SDXL-1024, frame 000123, take 2',
  'x=12 y=34 z=56, 64 bit, 0xff',
  'IPv4, HTTP 404, USB 3.0',
  'size 7 boots, 5 ft 11, 6\'2"',
  'chapter 12, page 345, line 6789',
  'Psalm 23, Symphony No. 9, Opus 111',
  '-20 °C, 101.3 kPa, 9.81 m/s²',
  'a street of lamps, an avenue of trees, the long road home',
]

export const harmlessSamples: readonly string[] = subjects.flatMap(subject =>
  manners.map(manner => `${subject}, ${manner}`),
)
