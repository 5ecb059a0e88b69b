import { join } from 'node:path'
import t from 'tap'
import { folderStorage } from '../../../src/record/folder-storage.js'
import { testStorage } from '../../conformance/suites.js'

let folders = 0
testStorage('a folder', () => {
  const folder = join(t.testdirName, String(++folders))
  const storage = folderStorage(folder)
  return Promise.resolve({
    storage,
    reopen: () => Promise.resolve(folderStorage(folder)),
    close: () => storage.close(),
  })
})
