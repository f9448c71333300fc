/** `tidegate factors` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Line } from '../output.ts'
import { table } from '../output.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { relative } from '../words/times.ts'

type Factors = Output<'listFactors'>
type Times = { readonly since: string; readonly lastUsedAt?: string | undefined }

export const factors = defineCommand({
  name: ['factors'],
  summary: 'What you confirm with that it is you, or what anyone does for administrators and auditors',
  details: ['They are added and removed in the browser, at /account of the server.'],
  arguments: { user: { value: text('USER'), about: 'Whose; yours without it.', optional: true } },
  examples: [
    { line: 'tidegate factors', about: 'Your own' },
    { line: 'tidegate factors alice', about: 'Another’s' },
  ],
  run: async (invocation, { user }) => {
    const client = await connectToServer(invocation)
    const found = await client.listFactors({ ...(user !== undefined && { user }) })
    invocation.out.result(found, () => linesOf(invocation, found))
    if (found.passkeys.length === 0 && !found.totp) invocation.out.note(`${found.user} has no second factor here.`)
    return 'ok'
  },
})

function linesOf(invocation: Invocation, { passkeys, totp, recoveryCodes, account }: Factors): readonly Line[] {
  const row = (what: string, name: string, { since, lastUsedAt }: Times): string[] => [
    what,
    name,
    relative(invocation, since),
    lastUsedAt === undefined ? '-' : relative(invocation, lastUsedAt),
  ]
  const rows = [
    ...passkeys.map((one) => row(one.synced ? 'passkey, on several devices' : 'passkey', one.name, one)),
    ...(totp ? [row('codes of an app', '-', totp)] : []),
    ...(recoveryCodes > 0 ? [[`${recoveryCodes} recovery codes`, '-', '-', '-']] : []),
    ...(account ? [row(account.password ? 'account, with a password' : 'account, by passkey', '-', account)] : []),
  ]
  return rows.length === 0 ? [] : table(['FACTOR', 'NAME', 'SINCE', 'LAST USED'], rows)
}
