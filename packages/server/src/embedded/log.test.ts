import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { createLogFile } from './log.ts'

test('a log file starts again when it is full, and keeps only the one before', async () => {
  const folder = scratchFolder()
  const path = join(folder, 'postgres.log')
  const log = createLogFile(path, 10)
  for (const line of ['one', 'two', 'three', 'four', 'five', 'six']) log.write(line)
  log.close()
  log.write('after the end')
  expect((await readdir(folder)).toSorted()).toEqual(['postgres.log', 'postgres.log.1'])
  expect(await readFile(`${path}.1`, 'utf8')).toBe('four\nfive\n')
  expect(await readFile(path, 'utf8')).toBe('six\n')
})
