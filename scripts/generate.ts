/**
 * Writes the reference pages that are made from tables in the code: `npm run generate`.
 * With `--check` it writes nothing and fails where a page is not what the tables say.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Page } from './reference/pages.ts'
import { pages } from './reference/pages.ts'

const onDisk = (page: Page): string | undefined => {
  try {
    return readFileSync(page.path, 'utf8')
  } catch {
    // Not there yet: stale.
    return undefined
  }
}

const stale = pages.map((page) => ({ page, text: page.render() })).filter(({ page, text }) => onDisk(page) !== text)

if (process.argv.includes('--check')) {
  for (const { page } of stale) console.error(`${page.path} is not what the code says. Run: npm run generate`)
  if (stale.length > 0) process.exitCode = 1
} else {
  for (const { page, text } of stale) {
    mkdirSync(dirname(page.path), { recursive: true })
    writeFileSync(page.path, text)
    console.log(`wrote ${page.path}`)
  }
}
