/** Where the browser comes back to: a port of this machine, for as long as someone signs in (RFC 8252, section 7.3). */

import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Loopback = {
  readonly redirectUri: string
  /** The address it came back to, whole. Only with our own `state`: anything on this machine may knock. */
  readonly back: (state: string) => Promise<URL>
  readonly close: () => void
}

export async function listenForBrowser(): Promise<Loopback> {
  let came: (url: URL) => boolean = () => false
  let origin = ''
  const server = createServer((request, response) => answer(request, response, { origin, came: (url) => came(url) }))
  server.headersTimeout = 5_000
  await new Promise<void>((ready, failed) => server.once('error', failed).listen(0, '127.0.0.1', ready))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    redirectUri: `${origin}/callback`,
    back: (state) =>
      new Promise((resolve) => {
        came = (url) => {
          const ours = url.searchParams.get('state') === state
          if (ours) resolve(url)
          return ours
        }
      }),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

type Expecting = { readonly origin: string; readonly came: (url: URL) => boolean }

function answer(request: IncomingMessage, response: ServerResponse, { origin, came }: Expecting): void {
  const { method, url = '', headers } = request
  const expected = method === 'GET' && `http://${headers.host}` === origin && url.startsWith('/callback?')
  const taken = expected && URL.canParse(url, origin) && came(new URL(url, origin))
  response.writeHead(taken ? 200 : 400, {
    'content-type': 'text/plain; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    connection: 'close',
  })
  response.end(taken ? 'Go back to your terminal. You can close this.\n' : 'Nobody waits for this.\n')
}
