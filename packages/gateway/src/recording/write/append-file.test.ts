import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { createAppendFile } from './append-file.ts'
import { createFolders } from './folders.ts'
import type { Folders } from './folders.ts'

function overheard(root?: string): Folders & { readonly synced: string[] } {
  const folders = createFolders(root)
  const synced: string[] = []
  return {
    ...folders,
    synced,
    sync(folder) {
      synced.push(folder)
      folders.sync(folder)
    },
  }
}

test('the name of a new file is on disk with it, and so is each folder that was made on the way', () => {
  const root = scratchFolder()
  const folders = overheard()
  const folder = join(root, '2026', '03', 'ses_1')
  const file = createAppendFile(join(folder, 'a'), folders)
  file.append(Buffer.from('one'))
  expect(folders.synced).toEqual([])
  file.sync()
  expect(folders.synced).toEqual([folder, join(root, '2026', '03'), join(root, '2026'), root])
  file.append(Buffer.from('two'))
  file.sync()
  file.close()
  expect(folders.synced).toHaveLength(4)
  expect(file.look).toThrow('EBADF')
})

test('where the folders were there already, the one that it is in is enough', () => {
  const folder = scratchFolder()
  const folders = overheard()
  createAppendFile(join(folder, 'a'), folders).sync()
  expect(folders.synced).toEqual([folder])
})

test('the names of folders that another process may have just made are brought to disk as well, once', () => {
  const root = scratchFolder()
  const day = join(root, '2026', '03', '14')
  mkdirSync(day, { recursive: true })
  const folders = overheard(root)
  createAppendFile(join(day, 'ses_1', 'a'), folders).sync()
  expect(folders.synced).toEqual([join(day, 'ses_1'), day, join(root, '2026', '03'), join(root, '2026'), root])
  createAppendFile(join(day, 'ses_1', 'b'), folders).sync()
  createAppendFile(join(day, 'ses_2', 'a'), folders).sync()
  expect(folders.synced.slice(5)).toEqual([join(day, 'ses_1'), join(day, 'ses_2'), day])
})

test('a folder that many files were made in is brought to disk once, and again for those that follow', () => {
  const folder = join(scratchFolder(), 'day')
  mkdirSync(folder)
  const folders = createFolders()
  folders.changed(folder)
  folders.changed(folder)
  folders.sync(folder)
  // Whoever looks for a folder that is gone fails: so nobody looked.
  rmSync(folder, { recursive: true })
  folders.sync(folder)
  folders.changed(folder)
  expect(() => folders.sync(folder)).toThrow('ENOENT')
  expect(() => folders.sync(folder)).toThrow('ENOENT')
  mkdirSync(folder)
  folders.sync(folder)
  rmSync(dirname(folder), { recursive: true })
  folders.sync(folder)
})

test('of a file that was given up before it was on disk, only the folders that others have too are still to be', () => {
  const root = scratchFolder()
  const folders = createFolders()
  const file = createAppendFile(join(root, 'day', 'ses_1', 'a'), folders)
  file.close()
  rmSync(join(root, 'day'), { recursive: true })
  folders.sync(join(root, 'day', 'ses_1'))
  expect(() => folders.sync(join(root, 'day'))).toThrow('ENOENT')
})
