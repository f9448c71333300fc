/** `tidegate logout` */

import { defineCommand } from '../command.ts'
import { endKeptLogin } from '../login/end.ts'
import { forgetLogin } from '../login/kept-login.ts'
import { configPath, readConfig } from '../settings.ts'

export const logout = defineCommand({
  name: ['logout'],
  summary: 'End the login that was kept, and forget it',
  details: [
    'Grants that were opened through it go on until their end: see `tidegate done`. A token that was kept is only forgotten: it stays valid until its expiry, for whoever has a copy.',
  ],
  examples: [{ line: 'tidegate logout', about: 'End the login' }],
  run: async (invocation) => {
    const { out } = invocation
    // What cannot be read is forgotten all the same.
    const kept = await readConfig(invocation).catch(() => undefined)
    const login = kept && 'login' in kept ? kept : undefined
    const ended = login && (await endKeptLogin(invocation, login))
    await forgetLogin(invocation)
    if (ended === false)
      out.warn(`${kept?.url} could not be told: the login is forgotten here, and ends there by itself.`, [
        `To end it now: \`tidegate logins end ${login?.login.id}\` from another login, or ask an administrator.`,
      ])
    out.result({ removed: configPath(invocation), ...(ended !== undefined && { ended }) }, () => [
      ended === true ? `You are logged out of ${kept?.url}.` : 'Nothing is kept here any more.',
    ])
    return 'ok'
  },
})
