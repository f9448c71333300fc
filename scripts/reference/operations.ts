/** docs/reference/operations.md */

import type { Auth, ErrorCode, Operation } from '@tidegate/api'
import { commonErrors, operations } from '@tidegate/api'
import { code, generatedFrom, page, table } from './markdown.ts'

const callers: Readonly<Record<Auth, string>> = {
  anyone: 'without a token',
  principal: 'any user, service or agent',
  person: 'a user',
  administrator: 'a user who holds `tidegate/owner` now, or a standing owner',
  'policy-author': 'a user who holds `tidegate/policy-author` now, or an administrator',
  auditor: 'a user who holds `tidegate/auditor` now, or an administrator',
  'policy-reader': 'a policy author or an auditor',
  'signal-source': 'a service that the configuration names as a source of signals',
  gateway: 'a gateway that has signed in, which may call nothing else',
}

export const operationsPage = (): string =>
  page(
    generatedFrom('packages/api/src/operations.ts'),
    '# Operations',
    'The shapes of inputs and outputs are in [openapi.json](openapi.json), the errors in [errors.md](errors.md).',
    table(
      ['operation', 'call', 'who', 'what it does', 'errors'],
      Object.entries<Operation>(operations).map(operationRow),
    ),
    '† takes an `Idempotency-Key` header: the same key and input are done once, however often they are sent.',
    `Any operation may also answer with ${commonErrors.map(linked).join(', ')}.`,
    '## Who may call',
    table(
      ['who', 'is'],
      Object.entries(callers).map(([who, meaning]) => [code(who), meaning]),
    ),
    'What a caller sees or may touch is narrowed further by the operation itself.',
  )

const operationRow = ([id, operation]: [string, Operation]): string[] => [
  code(id),
  `${code(`${operation.method} ${operation.path}`)}${operation.idempotent ? ' †' : ''}`,
  operation.auth,
  operation.summary,
  operation.errors.map(linked).join(', '),
]

const linked = (error: ErrorCode): string => `[${code(error)}](errors.md#${error})`
