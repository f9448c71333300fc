/** `tidegate login` */

import { defineCommand } from '../command.ts'
import { readSecret } from '../prompt.ts'
import { clientFor } from '../server.ts'
import { configPath, checkToken, mayCarryToken, saveLogin, serverUrl } from '../settings.ts'

export const login = defineCommand({
  name: ['login'],
  summary: 'Keep a token for a server, after checking that the server knows it',
  details: [
    'The token is read from stdin, or asked for without showing it. It is never an argument: argument lists are visible to everyone on the machine.',
    'It is kept in ~/.config/tidegate/config.json, readable by its owner alone, and sent to this server only.',
  ],
  examples: [
    { line: 'tidegate login --url https://tidegate.example.com', about: 'Ask for the token' },
    { line: 'tidegate login < token-file', about: 'Read it from a file' },
  ],
  run: async (invocation) => {
    const url = await serverUrl(invocation)
    mayCarryToken(url, invocation.env)
    const token = checkToken(await readSecret(invocation, `Token for ${url}: `))
    const me = await clientFor(invocation, { url, token }).whoami({})
    await saveLogin(invocation, { url, token })
    invocation.out.result({ url, principal: me.principal }, () => [
      `Logged in to ${url} as ${me.principal}; kept in ${configPath(invocation)}.`,
    ])
    if (invocation.env['TIDEGATE_TOKEN'])
      invocation.out.warn('TIDEGATE_TOKEN is set and goes before what was kept now.')
    return 'ok'
  },
})
