/** docs/reference/errors.md */

import type { ErrorEntry } from '@tidegate/api'
import { errors } from '@tidegate/api'
import { code, generatedFrom, page, table } from './markdown.ts'

export const errorsPage = (): string =>
  page(
    generatedFrom('packages/api/src/errors.ts'),
    '# Errors',
    [
      'Every refusal is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `type`',
      '(`urn:tidegate:error:CODE`), `code`, `status`, `title` and `remedy`, with `detail`, `problems` (one per field)',
      'and `decision` where there is more to say. Programs branch on `code`; the other texts are for people.',
    ].join('\n'),
    table(['code', 'status', 'what happened', 'what to do'], Object.entries<ErrorEntry>(errors).map(errorRow)),
  )

/** The anchor lets other pages link to one code. */
const errorRow = ([name, { status, title, remedy }]: [string, ErrorEntry]): string[] => [
  `<a id="${name}"></a>${code(name)}`,
  String(status),
  title,
  remedy,
]
