import { join } from 'node:path'
import { compositesOf } from '../plan/composites.js'
import type { SlotIndex } from '../plan/slots.js'
import { sizeOf } from './lost-slots.js'
import { compositeFile, traceFile } from './run-folder.js'

/**
 * What of the composites of a finished run is gone or empty, as paths under its folder; `verify` reads the bytes. Throws
 * FILE_UNREADABLE where the disk does not tell.
 */
export async function findLostComposites(runFolder: string, index: SlotIndex): Promise<string[]> {
  const lost: string[] = []
  for (const { id } of compositesOf(index)) {
    const file = compositeFile(id)
    for (const each of [file, traceFile(file)]) {
      if (await sizeOf(join(runFolder, each))) continue
      lost.push(each)
      break
    }
  }
  return lost
}
