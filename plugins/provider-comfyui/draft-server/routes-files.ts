import { posix } from 'node:path'
import sharp from 'sharp'
import { confine, sha256, splitAnnotated, type FileStore, type FileType, type StoredFile } from './file-store.js'
import { Stumble, type Exchange } from './http-exchange.js'
import { isRecord } from './graph.js'
import { isPicture, mimeOf } from './mime.js'
import { parseMultipart, type FormPart } from './multipart.js'
import { useFault } from './options.js'
import type { Routes } from './handler.js'
import type { ServerState } from './server-state.js'

/** Fetching and putting files. */
export function fileRoutes(state: ServerState): Routes {
  return {
    'GET /view': async x => await view(x, state),
    'POST /upload/image': async x => await upload(x, state, async value => value),
    'POST /upload/mask': async x =>
      await upload(x, state, async (value, parts) => await maskOriginal(value, parts, state)),
  }
}

async function view(x: Exchange, { files, faults }: ServerState): Promise<void> {
  const given = x.query.get('filename')
  if (given === null) return x.empty(404)
  const { name, type } = splitAnnotated(given, (x.query.get('type') ?? 'output') as FileType)
  if (name === '' || name.startsWith('/') || name.includes('..') || !fileTypes.includes(type)) return x.empty(400)
  const subfolder = confine(x.query.get('subfolder') ?? '')
  if (subfolder === undefined) return x.empty(403)
  const file = files.get(type, subfolder, posix.basename(name))
  if (!file) return x.empty(404)
  const parts = await file.read()
  if (x.query.has('preview')) return await sendPreview(x, file, Buffer.concat(parts))
  const channel = x.query.get('channel')
  if (channel === 'rgb' || channel === 'a') return await sendChannel(x, file, Buffer.concat(parts), channel)
  if (useFault(faults, 'viewTruncated')) return sendCut(x, file, parts)
  sendFile(x, file, parts)
}

const fileTypes: readonly string[] = ['input', 'output', 'temp']

function sendFile(x: Exchange, file: StoredFile, parts: readonly Buffer[]): void {
  const common = {
    'content-disposition': disposition(file),
    'content-type': mimeOf(file.name),
    etag: file.etag,
    'last-modified': file.modifiedAt.toUTCString(),
  }
  const { range, 'if-none-match': tag, 'if-modified-since': since } = x.request.headers
  const isUnchanged =
    tag === undefined
      ? since !== undefined && Date.parse(since) >= Math.floor(file.modifiedAt.getTime() / 1000) * 1000
      : tag === file.etag
  if (isUnchanged) return x.bytes(304, common, [])
  const asked = range === undefined ? undefined : parseRange(range, file.sizeBytes)
  if (asked === 'outside') {
    const { etag: _etag, 'last-modified': _modified, ...rest } = common
    return x.bytes(416, { ...rest, 'content-range': `bytes */${file.sizeBytes}` }, [])
  }
  const whole = { ...common, 'accept-ranges': 'bytes' }
  if (!asked) return x.bytes(200, { ...whole, 'content-length': String(file.sizeBytes) }, parts)
  const piece = Buffer.concat(parts).subarray(asked.start, asked.end + 1)
  const contentRange = `bytes ${asked.start}-${asked.end}/${file.sizeBytes}`
  x.bytes(206, { ...whole, 'content-length': String(piece.length), 'content-range': contentRange }, [piece])
}

/** Announces the whole file and ends the connection in the middle of it. */
function sendCut(x: Exchange, file: StoredFile, parts: readonly Buffer[]): void {
  const whole = Buffer.concat(parts)
  x.response.writeHead(200, { 'content-type': mimeOf(file.name), 'content-length': String(whole.length) })
  x.response.write(whole.subarray(0, whole.length >> 1), () => x.request.socket.destroy())
}

async function sendPreview(x: Exchange, file: StoredFile, bytes: Buffer): Promise<void> {
  const [word = '', quality = '90'] = (x.query.get('preview') ?? '').split(';')
  const isJpeg = word === 'jpeg' && x.query.get('channel') !== 'a'
  // A WebP of quality 0 is fine on the real server, and sharp wants at least 1.
  const wanted = Math.max(1, Number(quality))
  if (!isPicture(file.name) || (!isJpeg && wanted > 100) || Number.isNaN(wanted)) throw new Stumble()
  const image = sharp(bytes)
  const made = await (
    isJpeg ? image.jpeg({ quality: Math.min(wanted, 100) }) : image.webp({ quality: wanted })
  ).toBuffer()
  sendMade(x, file, isJpeg ? 'image/jpeg' : 'image/webp', made)
}

async function sendChannel(x: Exchange, file: StoredFile, bytes: Buffer, channel: 'rgb' | 'a'): Promise<void> {
  const image = sharp(bytes)
  const made = channel === 'rgb' ? image.removeAlpha() : image.ensureAlpha().extractChannel('alpha')
  sendMade(x, file, 'image/png', await made.png().toBuffer())
}

function sendMade(x: Exchange, file: StoredFile, type: string, bytes: Buffer): void {
  const headers = {
    'content-disposition': disposition(file),
    'content-type': type,
    'content-length': String(bytes.length),
  }
  x.bytes(200, headers, [bytes])
}

function parseRange(range: string, sizeBytes: number): { start: number; end: number } | 'outside' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? []
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1)
  return start >= sizeBytes || start > end ? 'outside' : { start, end }
}

async function upload(
  x: Exchange,
  { files }: ServerState,
  toBytes: (value: Buffer, parts: FormPart[]) => Promise<Buffer | undefined>,
): Promise<void> {
  const parts = parseMultipart(x.request.headers['content-type'], await x.body())
  const image = parts?.find(part => part.name === 'image' && part.filename !== undefined)
  if (!parts || image?.filename === undefined) return x.empty(400)
  const field = (name: string) => parts.find(part => part.name === name)?.value.toString()
  const type = field('type') ?? 'input'
  if (!fileTypes.includes(type) || image.filename === '') throw new Stumble()
  const subfolder = confine(field('subfolder') ?? '')
  const path = subfolder === undefined ? undefined : confine(posix.join(subfolder, image.filename))
  if (subfolder === undefined || path === undefined || image.filename.startsWith('..')) return x.empty(400)
  if (image.filename.includes('/') && !files.hasFolder(type as FileType, posix.dirname(path))) throw new Stumble()
  const bytes = await toBytes(image.value, parts)
  const isOverwrite = ['true', '1'].includes(field('overwrite') ?? '')
  const place = { type: type as FileType, subfolder, name: image.filename }
  const name = bytes ? await store(files, place, bytes, isOverwrite) : image.filename
  x.json({ name, subfolder, type })
}

/** Gives the name under which the bytes lie: the same for the same content, a numbered one beside other content. */
async function store(
  files: FileStore,
  { type, subfolder, name }: { type: FileType; subfolder: string; name: string },
  bytes: Buffer,
  isOverwrite: boolean,
): Promise<string> {
  const hash = sha256(bytes)
  const { name: stem, ext } = posix.parse(name)
  let free = name
  for (let number = 1; !isOverwrite; number++) {
    const known = files.get(type, subfolder, free)
    if (!known) break
    if ((known.sha256 ??= sha256(Buffer.concat(await known.read()))) === hash) return free
    free = `${stem} (${number})${ext}`
  }
  // A form's value is a view into the whole request; the copy lets the rest of it go.
  const file = await files.put(type, subfolder, free, { bytes: Buffer.from(bytes) })
  file.sha256 = hash
  return free
}

/** The original with the alpha of the mask, or undefined where the original is missing: then nothing is written. */
async function maskOriginal(mask: Buffer, parts: FormPart[], { files }: ServerState): Promise<Buffer | undefined> {
  const reference = parts.find(part => part.name === 'original_ref')
  if (!reference) throw new Stumble()
  const parsed: unknown = JSON.parse(reference.value.toString())
  if (!isRecord(parsed)) throw new Stumble()
  const { name, type } = splitAnnotated(String(parsed.filename), (parsed.type ?? 'output') as FileType)
  const original = files.get(type, confine(String(parsed.subfolder ?? '')) ?? '', name)
  if (!original) return undefined
  const base = sharp(Buffer.concat(await original.read())).removeAlpha()
  const { width, height } = await base.metadata()
  const alpha = await sharp(mask)
    .resize(width, height, { fit: 'fill' })
    .ensureAlpha()
    .extractChannel('alpha')
    .toBuffer()
  return await base.joinChannel(alpha).png().toBuffer()
}

function disposition({ name }: StoredFile): string {
  // Header values are Latin-1: other letters would make Node refuse the whole answer.
  return `filename="${Buffer.from(name, 'utf8').toString('latin1')}"`
}
