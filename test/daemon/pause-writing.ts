import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, startDaemon } from './start-daemon.js'

/** JSON, hence YAML. */
const sized = `${JSON.stringify({ dot_id: 'sized', version: '1.0.0', sliders: { mecha: 1 } })}\n`

/**
 * Writes half of a YAML kit, of a JSON kit, and of a kit that an order names, and two files that are
 * empty in their whole length, pauses, and writes the rest. Answers what went
 * wrong: a drop that was taken or refused too early, or taken without its second half.
 */
export async function pauseWriting(home: string, { pauseMs, quietSeconds }: { pauseMs: number; quietSeconds: number }) {
  const daemon = await startDaemon(home, { templates: ['hero-portrait'], quietSeconds })
  const path = (name: string) => join(daemon.manifests, name)
  const halves: [string, string, string][] = [
    ['half.yaml', 'dot_id: half\nversion: 1.0.0\n', 'sliders: {mecha: 1}\n...\n'],
    ['half.json', '{"dot_id": "json", "sliders"', ': {"mecha": 1}, "version": "1.0.0"}'],
    // In a folder that is no place for drops, so that the order alone speaks for it.
    ['examples/named.yaml', 'dot_id: named\nversion: 1.0.0\n', 'sliders: {mecha: 1}\n...\n'],
  ]
  try {
    mkdirSync(path('examples'))
    for (const [name, first] of halves) writeFileSync(path(name), first)
    writeFileSync(path('order.json'), JSON.stringify({ personas: ['examples/named.yaml'] }))
    // Network shares give a file its size first, and its bytes later.
    writeFileSync(path('sized.json'), Buffer.alloc(sized.length, ' '))
    writeFileSync(path('sized.yaml'), Buffer.alloc(sized.length))
    await sleep(pauseMs)
    const { total } = await daemon.get<{ total: number }>('/drops')
    for (const [name, , rest] of halves) appendFileSync(path(name), rest)
    for (const name of ['sized.json', 'sized.yaml']) writeAt(path(name), sized)
    const runs = await eventually('five runs', async () => {
      const answer = await daemon.get<{ runs: { folder: string; key: string }[] }>('/runs')
      return answer.runs.length === 5 ? answer.runs : undefined
    })
    const wrong = runs.filter(({ folder }) => !readFileSync(join(folder, 'run.json'), 'utf8').includes('mecha'))
    return [
      ...(total > 0 ? [`${total} drops were settled while somebody wrote`] : []),
      ...wrong.map(({ key }) => `${key} was read half`),
      ...readdirSync(daemon.manifests).filter(name => name.includes('problems')),
    ]
  } finally {
    await daemon.kill()
  }
}

function writeAt(path: string, text: string): void {
  const file = openSync(path, 'r+')
  writeSync(file, text, 0)
  closeSync(file)
}
