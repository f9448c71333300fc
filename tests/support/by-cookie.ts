/** The typed client of someone who came through a browser's login. */

import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'

/** @param secret what the browser holds, as `loginOf` gives it */
export const clientByCookie = (url: string, secret: string): Client =>
  createClient({
    url,
    token: '',
    fetch: (input, init) => {
      const headers = new Headers(init?.headers)
      headers.delete('authorization')
      headers.set('cookie', `__Host-tidegate=${secret}`)
      headers.set('x-tidegate-request', '1')
      headers.set('origin', url)
      return fetch(input, { ...init, headers })
    },
  })
