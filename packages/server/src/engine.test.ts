import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the engine knows what it is told, so that one that does not is noticed', () => {
  const source = readFileSync(new URL('engine.ts', import.meta.url), 'utf8')
  const flag = /setFlagsFromString\('(--[\w-]+)'\)/.exec(source)?.[1] as string
  const run = (text: string) => spawnSync(process.execPath, [text, '--eval', '0']).status
  expect(run(flag)).toBe(0)
  expect(run('--no-such-thing')).not.toBe(0)
})
