/** docs/reference/entries.md */

import { entryTypes, findingKinds } from '@tidegate/server'
import { code, generatedFrom, page, table } from './markdown.ts'

type Shape = (typeof entryTypes)[keyof typeof entryTypes]

export const entriesPage = (): string =>
  page(
    generatedFrom('packages/server/src/{log/entry-types,findings/findings}.ts'),
    '# Audit entries',
    [
      'Each entry is canonical JSON ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)) with `v`, `id`, `type` and `at`,',
      'where they apply `request` and `grant`, and the fields of its type. *In clear* is readable by anyone who can reach',
      'the published log. *Committed* stands there as a salted SHA-256 commitment; the value and its salt are kept beside',
      'the log and can be erased. In brackets: the field that says whose data it is.',
    ].join('\n'),
    table(['type', 'what happened', 'in clear', 'committed'], Object.entries<Shape>(entryTypes).map(entryRow)),
    'How to read, verify and keep the log: [auditing](../guides/auditing.md).',
    '## Findings',
    [
      'What Tidegate wants a human to look at. There is one open finding per kind and subject; opening and closing it are',
      'entries, seeing it again is not. What to do about each: [running](../guides/running.md#findings).',
    ].join('\n'),
    table(
      ['kind', 'meaning'],
      Object.entries(findingKinds).map(([kind, meaning]) => [code(kind), meaning]),
    ),
  )

const entryRow = ([type, { about, open, personal }]: [string, Shape]): string[] => [
  code(type),
  about,
  open.map(code).join(' '),
  Object.entries<string>(personal)
    .map(([name, owner]) => (name === owner ? code(name) : `${code(name)} (${owner})`))
    .join(', '),
]
