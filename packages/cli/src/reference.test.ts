import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { renderReference } from './reference.ts'

it('is what docs/reference/cli.md says', async () => {
  const page = new URL('../../../docs/reference/cli.md', import.meta.url)
  expect(await readFile(page, 'utf8')).toBe(renderReference())
})
