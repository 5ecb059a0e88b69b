import t from 'tap'
import { kindOf, remoteKind } from '../../../src/files/remote-folder.js'

t.test('a folder of this machine is no remote one', async t => {
  t.equal(await remoteKind(t.testdir()), undefined)
})

t.test('what statfs tells of remote file systems, signed or not', async t => {
  t.equal(kindOf(0x6969), 'NFS')
  t.equal(kindOf(0xff534d42 | 0), 'SMB (cifs)')
  t.equal(kindOf(0x65735546), 'FUSE')
  t.equal(kindOf(0xef53), undefined, 'ext4')
  t.equal(kindOf(0x01021994), undefined, 'tmpfs')
})
