import { posix } from 'node:path'
import type { PngText } from '../../../src/plugins/contract.js'
import { printExact } from './exact-json.js'
import { confine, type FileStore, type FileType } from './file-store.js'
import { isRecord, type DraftGraph } from './graph.js'
import type { Look } from './look.js'
import { NodeException } from './node-definition.js'
import type { PictureMaker } from './picture-maker.js'

export interface SavePlace {
  files: FileStore
  maker: PictureMaker
  /** The letters in the names of this process's previews. */
  tempLetters: string
}

export interface SaveRequest {
  look: Look
  prefix: string
  type: FileType
  /** The graph as it runs, for the pictures' own record of it. */
  graph: DraftGraph
  /** `extra_pnginfo` of the request, whatever it is. */
  info: unknown
}

/** Paints and stores the pictures of a batch, named as SaveImage names them. */
export async function savePictures(request: SaveRequest, place: SavePlace): Promise<Record<string, unknown>[]> {
  const { look, type } = request
  const prefix = type === 'temp' ? `ComfyUI_temp_${place.tempLetters}` : fillTokens(request.prefix, look)
  const subfolder = confine(posix.dirname(prefix))
  if (subfolder === undefined || prefix.startsWith('/')) {
    throw new NodeException('Exception', 'Saving image outside the output folder is not allowed.')
  }
  const texts = textsOf(request)
  const record = isRecord(request.info) ? request.info.foundry : undefined
  const name = prefix.endsWith('/') ? '' : posix.basename(prefix)
  const first = place.files.nextCounter(type, subfolder, name)
  const saved: Record<string, unknown>[] = []
  for (let batchIndex = 0; batchIndex < look.count; batchIndex++) {
    const { parts, isShared } = await place.maker.make({ look, record, batchIndex, texts })
    const own = name.replaceAll('%batch_num%', String(batchIndex)) || '.'
    const filename = `${own}_${String(first + batchIndex).padStart(5, '0')}_.png`
    await place.files.put(type, subfolder, filename, isShared ? { shared: parts } : { bytes: Buffer.concat(parts) })
    saved.push({ filename, subfolder, type })
  }
  return saved
}

function fillTokens(prefix: string, look: Look): string {
  if (!prefix.includes('%')) return prefix
  const now = new Date()
  const two = (number: number) => String(number).padStart(2, '0')
  const values: Record<string, string> = {
    width: String(look.width),
    height: String(look.height),
    year: String(now.getFullYear()),
    month: two(now.getMonth() + 1),
    day: two(now.getDate()),
    hour: two(now.getHours()),
    minute: two(now.getMinutes()),
    second: two(now.getSeconds()),
  }
  return prefix.replaceAll(/%(\w+)%/g, (whole, token: string) => values[token] ?? whole)
}

function textsOf({ graph, info }: SaveRequest): PngText[] {
  const texts = [{ keyword: 'prompt', text: toAscii(graph) }]
  if (info === undefined || info === null) return texts
  if (!isRecord(info)) throw new NodeException('TypeError', 'extra_pnginfo is not a mapping')
  return [...texts, ...Object.entries(info).map(([keyword, value]) => ({ keyword, text: toAscii(value) }))]
}

/** JSON with everything beyond ASCII escaped, as Python writes it into pictures. */
function toAscii(value: unknown): string {
  return printExact(value).replaceAll(
    /[^\x00-\x7f]/g,
    letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
