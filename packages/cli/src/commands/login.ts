/** `tidegate login` */

import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { endLogin } from '../login/end.ts'
import { keepLogin, readLogin, removeUnlessKept } from '../login/kept-login.ts'
import { withLoginLock } from '../login/lock.ts'
import { readSecret } from '../prompt.ts'
import { clientFor } from '../server.ts'
import { checkToken, configPath, mayCarryToken, readConfig, saveConfig, serverUrl } from '../settings.ts'

export const login = defineCommand({
  name: ['login'],
  summary: 'Sign in to a server through your browser',
  details: [
    'Opens your browser, where you are signed in or do so, and are asked whether this command line may act as you. Where there is no browser, shows a code to type into one on any machine.',
    'What is kept is worth nothing without a key that is kept with it: in the keychain of the system where there is one (secret-tool, or the one of macOS), else in ~/.config/tidegate/login.json, readable by its owner alone. It lasts as long as the sign-in in the browser that let it in, at most.',
    'With --with-token, a token is read from stdin, or asked for without showing it, checked, and kept in ~/.config/tidegate/config.json. It is never an argument: argument lists are visible to everyone on the machine.',
  ],
  options: {
    device: {
      about: 'Show a code to type into a browser on any machine.',
      conflicts: ['noBrowser', 'withToken'],
    },
    noBrowser: { about: 'Show the address to open on this machine, instead of opening it.', conflicts: ['withToken'] },
    withToken: { about: 'Keep a token instead, from stdin.' },
  },
  examples: [
    { line: 'tidegate login --url https://tidegate.example.com', about: 'Through the browser' },
    { line: 'tidegate login --device', about: 'On a machine without one' },
    { line: 'tidegate login --with-token < token-file', about: 'With a token' },
  ],
  run: async (invocation, { device, noBrowser, withToken }) => {
    const url = await serverUrl(invocation)
    mayCarryToken(url, invocation.env)
    if (withToken) await loginWithToken(invocation, url)
    else await loginAsPerson(invocation, url, { device, noBrowser })
    if (invocation.env['TIDEGATE_TOKEN'])
      invocation.out.warn('TIDEGATE_TOKEN is set and goes before what was kept now.')
    return 'ok'
  },
})

async function loginWithToken(invocation: Invocation, url: string): Promise<void> {
  const token = checkToken(await readSecret(invocation, `Token for ${url}: `))
  const me = await clientFor(invocation, { url, token }).whoami({})
  await insteadOfEarlier(invocation, () => saveConfig(invocation, { url, token }))
  tell(invocation, { url, principal: me.principal, kept: configPath(invocation) })
}

type Told = { readonly device: boolean; readonly noBrowser: boolean }

async function loginAsPerson(invocation: Invocation, url: string, { device, noBrowser }: Told): Promise<void> {
  const { signIn, wayFor } = await import('../login/sign-in.ts')
  const { exportKey, makeKey } = await import('../login/authorization-server.ts')
  const { clientOfLogin } = await import('../login/login-fetch.ts')
  const key = await makeKey()
  const way = await wayFor(invocation, { device, noBrowser })
  const held = { ...(await signIn(invocation, { url, key, way })), url, key: await exportKey(key) }
  const me = await (await clientOfLogin(invocation, { ...held, id: '' })).whoami({})
  const login = { ...held, id: me.login ?? '' }
  const kept = await insteadOfEarlier(invocation, async () => (await keepLogin(invocation, login)).name)
  tell(invocation, { url, principal: me.principal, login: me.login, kept })
}

/**
 * One at a time is kept. What was kept before is not left open for nobody, and not given up before the new one is safe;
 * of two that are made at once the first is the earlier one.
 */
async function insteadOfEarlier<T>(invocation: Invocation, keep: () => Promise<T>): Promise<T> {
  const { earlier, kept } = await withLoginLock(invocation, async () => {
    const before = await readConfig(invocation).catch(() => undefined)
    const login = before && 'login' in before ? before : undefined
    const held = login && (await readLogin(invocation, login).catch(() => undefined))
    const done = await keep()
    if (login) await removeUnlessKept(invocation, login)
    return { earlier: login && { ...login, held }, kept: done }
  })
  if (earlier && !(earlier.held && (await endLogin(invocation, earlier.held))))
    invocation.out.warn(`The login before, ${earlier.login.id}, goes on at ${earlier.url} until its time is up.`, [
      `To end it now: \`tidegate logins end ${earlier.login.id}\`.`,
    ])
  return kept
}

type Done = {
  readonly url: string
  readonly principal: string
  readonly login?: string | undefined
  readonly kept: string
}

const tell = ({ out }: Invocation, done: Done): void =>
  out.result(done, () => [`Logged in to ${done.url} as ${done.principal}; kept in ${done.kept}.`])
