/** The person's browser, where there is one. */

import type { Context } from '../context.ts'
import { findProgram } from '../access/child.ts'

type Here = Pick<Context, 'env' | 'platform'>

/** `undefined`: nobody could see what it opens. Over SSH it would open on the wrong machine. */
export async function findBrowser({ env, platform }: Here): Promise<string | undefined> {
  const { BROWSER: chosen, PATH: path } = env
  if (chosen) return findProgram(chosen, path)
  if (env['SSH_CONNECTION']) return undefined
  if (platform === 'darwin') return findProgram('open', path)
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? findProgram('xdg-open', path) : undefined
}

/** `failed`: is called where it cannot be started, or says that it could not open the address. */
type Opening = { readonly program: string; readonly url: URL; readonly failed: () => void }

/** It goes on by itself; one that does not start is no failure, for the address is shown too. */
export function openBrowser({ spawn, env }: Pick<Context, 'spawn' | 'env'>, { program, url, failed }: Opening): void {
  const { TIDEGATE_TOKEN: _ours, ...others } = env
  const child = spawn(program, [url.href], { stdio: 'ignore', detached: true, env: others })
  child.once('error', failed)
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) failed()
  })
  child.unref()
}
