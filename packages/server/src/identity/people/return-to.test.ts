import fc from 'fast-check'
import { expect, test } from 'vitest'
import { returnPath } from './return-to.ts'

const ours = 'https://tidegate.example.com'

/** What could be made of a link to somewhere else. */
const pieces = fc.constantFrom(
  '/',
  '//',
  '\\',
  '..',
  '.',
  ':',
  '@',
  '?',
  '#',
  'evil.example',
  'https:',
  'javascript:',
  '%2f',
  '%5c',
  '\t',
  '\n',
  ' ',
  'ä',
  'login',
)

test('wherever a sign-in is asked to lead back to, a browser stays with us', () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const path = returnPath(parts.join(''))
      expect(path).toMatch(/^\/(?!\/)[\x21-\x7e]*$/)
      expect(new URL(path, ours).origin).toBe(ours)
    }),
    { numRuns: 2_000 },
  )
})

test('a path of ours stays as it is, with its query and without what only a browser sees', () => {
  expect(returnPath('/requests/req_1?tab=log#top')).toBe('/requests/req_1?tab=log')
  for (const nothing of [undefined, '', 7, ['/a'], `/${'a'.repeat(1_000)}`]) expect(returnPath(nothing)).toBe('/login')
})
