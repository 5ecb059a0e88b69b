/** Colours as `#rrggbb`, mixed in OKLab, where equal steps look equal. */

type Lab = readonly [lightness: number, a: number, b: number]

/** The way from `from` (share 0) to `to` (share 1). */
export function mix(from: string, to: string, share: number): string {
  const [a, b] = [toLab(from), toLab(to)]
  const t = Math.min(Math.max(share, 0), 1)
  return fromLab([a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t])
}

/** Lightness 0…1, chroma 0…0.3, hue in degrees. */
export function oklch(lightness: number, chroma: number, hue: number): string {
  const angle = (hue * Math.PI) / 180
  return fromLab([lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)])
}

/** 0 (black) … 1 (white), as seen. */
export function lightnessOf(colour: string): number {
  return toLab(colour)[0]
}

/** How different two colours look; 0.1 is plainly another shade. */
export function distance(a: string, b: string): number {
  const [p, q] = [toLab(a), toLab(b)]
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2])
}

/** Moves the lightness into `min`…`max` and keeps the hue. */
export function withLightness(colour: string, min: number, max: number): string {
  const [lightness, a, b] = toLab(colour)
  return fromLab([Math.min(Math.max(lightness, min), max), a, b])
}

/** `#rgb`, `#rrggbb` or a plain colour name; undefined for anything else. */
export function parseColour(text: string): string | undefined {
  const plain = text.trim().toLowerCase()
  if (/^#[0-9a-f]{6}$/.test(plain)) return plain
  if (/^#[0-9a-f]{3}$/.test(plain)) return `#${Array.from(plain.slice(1), digit => digit + digit).join('')}`
  return names.get(plain)
}

const names = new Map([
  ['black', '#17171c'],
  ['white', '#f7f5f0'],
  ['grey', '#85878c'],
  ['gray', '#85878c'],
  ['silver', '#c3c7cc'],
  ['red', '#d5383e'],
  ['orange', '#ee8434'],
  ['yellow', '#f2c94c'],
  ['gold', '#d9a63a'],
  ['green', '#3e9b5f'],
  ['teal', '#208f8c'],
  ['cyan', '#35b8cf'],
  ['blue', '#3b6fd1'],
  ['navy', '#22345f'],
  ['purple', '#7c4fb8'],
  ['violet', '#8b5cd6'],
  ['magenta', '#c743a0'],
  ['pink', '#ec8fb2'],
  ['brown', '#84573a'],
  ['beige', '#dccbb0'],
])

function toLab(colour: string): Lab {
  const [r, g, b] = [1, 3, 5].map(at => toLinear(parseInt(colour.slice(at, at + 2), 16) / 255)) as [
    number,
    number,
    number,
  ]
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

function fromLab([lightness, a, b]: Lab): string {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  const channels = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
  return `#${channels.map(toByte).join('')}`
}

function toLinear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
}

function toByte(linear: number): string {
  const clamped = Math.min(Math.max(linear, 0), 1)
  const channel = clamped <= 0.0031308 ? clamped * 12.92 : 1.055 * clamped ** (1 / 2.4) - 0.055
  return Math.round(channel * 255)
    .toString(16)
    .padStart(2, '0')
}
