/** `tidegate token new` */

import { createHash } from 'node:crypto'
import { after, formatInstant } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import { duration } from '../values.ts'

export const tokenNew = defineCommand({
  name: ['token', 'new'],
  summary: 'Make an API token, offline',
  details: [
    'Prints the token once, on stdout: it goes to whoever is to use it, by `tidegate login` or as TIDEGATE_TOKEN. Configuration gets its SHA-256 and its end only, and whoever reads those cannot make the token from them.',
    'The token works once the configuration with its hash is applied.',
  ],
  options: { for: { about: 'How long it is valid.', value: duration, default: '90d' } },
  examples: [{ line: 'tidegate token new --for 30d', about: 'A token for a month' }],
  run: async (invocation, { for: validFor }) => {
    const token = `tdg_${Buffer.from(invocation.random(32)).toString('base64url')}`
    const hash = `sha256:${createHash('sha256').update(token).digest('hex')}`
    const expires = formatInstant(after(invocation.now(), validFor.length))
    invocation.out.note('The token. It is shown this once and kept nowhere:')
    invocation.out.result({ token, hash, expires }, () => [token])
    invocation.out.note(
      '',
      'Its entry in the configuration, under the user, service or agent that it is for:',
      '    tokens:',
      `      - hash: ${hash}`,
      `        expires: ${expires}`,
    )
    return 'ok'
  },
})
