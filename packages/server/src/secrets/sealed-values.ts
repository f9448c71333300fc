/**
 * Everything that the store keeps sealed under the master key: one row a column. What is sealed into pages and cookies is
 * not here; it is over within `keyLimits.sealedElsewhere`.
 */

import { loginPurpose } from '../gateways/way-in.ts'
import { piecePurpose } from '../gateways/views.ts'
import { totpPurpose } from '../identity/factors/totp.ts'
import { logKeyPurpose } from '../log/signing.ts'
import { contentsPurpose, saltPurpose } from '../statements/contents.ts'

export type SealedColumn = {
  readonly table: string
  readonly column: string
  /** What a row is called by; its purpose is made from these, in this order. */
  readonly ids: readonly string[]
  readonly purpose: (...ids: string[]) => string
  /** Without null values by this condition, for which there is an index. Absent: by the column itself. */
  readonly where?: string
  readonly about: string
}

export const checkPurpose = 'key-check'

export const sealedColumns = [
  {
    table: 'installation',
    column: 'key_check',
    ids: [],
    purpose: () => checkPurpose,
    about: 'what a key is checked with',
  },
  {
    table: 'log_key',
    column: 'signing_key',
    ids: ['verifier_key'],
    purpose: (verifierKey = '') => logKeyPurpose(verifierKey),
    about: 'the signing key of the log',
  },
  {
    table: 'totp',
    column: 'secret',
    ids: ['user_id'],
    purpose: (user = '') => totpPurpose(user),
    about: 'codes of an app',
  },
  {
    table: 'access_grant',
    column: 'login_sealed',
    ids: ['id'],
    purpose: (id = '') => loginPurpose(id),
    where: 'login_verifier is not null',
    about: 'logins that gateways use',
  },
  {
    table: 'access_statement',
    column: 'contents',
    ids: ['id'],
    purpose: (id = '') => contentsPurpose(id),
    about: 'statements that wait',
  },
  {
    table: 'access_statement',
    column: 'salt',
    ids: ['id'],
    purpose: (id = '') => saltPurpose(id),
    about: 'salts of statements',
  },
  {
    table: 'recording_piece',
    column: 'sealed',
    ids: ['view', 'number'],
    purpose: (view = '', number = '') => piecePurpose(view, Number(number)),
    about: 'recordings on their way to who reads them',
  },
] as const satisfies readonly SealedColumn[]
