import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk of its own in memory, mounted on a folder. */
export interface SmallDisk {
  /** Takes all the room that is left. */
  fill(): void
  /** Gives it back. */
  free(): void
  grow(sizeBytes: number): void
  unmount(): void
}

const fillerName = '.filler'

/** What `t.test` is told where nothing can be mounted. */
export const needsMount = { skip: !canMount() && 'only root may mount a small disk' }

export function mountSmallDisk(folder: string, sizeBytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true })
  run('mount', '-t', 'tmpfs', '-o', `size=${sizeBytes},mode=755`, 'tmpfs', folder)
  return {
    fill() {
      // The last page may be taken by somebody else meanwhile.
      const { bavail, bsize } = statfsSync(folder)
      try {
        appendFileSync(join(folder, fillerName), Buffer.alloc(bavail * bsize))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    },
    free: () => rmSync(join(folder, fillerName), { force: true }),
    grow: size => run('mount', '-o', `remount,size=${size}`, folder),
    unmount: () => void spawnSync('umount', ['-l', folder]),
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const folder = mkdtempSync(join(tmpdir(), 'foundry-mount-'))
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0
  if (isMounted) spawnSync('umount', [folder])
  rmSync(folder, { recursive: true })
  return isMounted
}
