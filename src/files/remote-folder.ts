import { statfs } from 'node:fs/promises'

/** Kinds of file system whose locks and syncs another machine answers for, by their magic numbers (Linux, `statfs(2)`). */
const remoteKinds: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB (cifs)'],
  [0xfe534d42, 'SMB 2'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
])

/** The kind of network or user-space file system that a folder lies on; undefined for a disk of this machine, or elsewhere than on Linux. */
export async function remoteKind(folder: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined
  const { type } = await statfs(folder)
  return kindOf(type)
}

/** Some kernels give the number as a signed 32-bit one. */
export function kindOf(type: number): string | undefined {
  return remoteKinds.get(type >>> 0)
}
