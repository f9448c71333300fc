/** Where clients of a gateway with workers come in: each is handed on before anything of what it says is read. */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { socketOptions } from '../../postgres/shell/socket-options.ts'

export type Door = {
  readonly host: string
  readonly port: number
  /** Nobody comes in any more. */
  readonly close: () => void
}

type Place = { readonly host: string; readonly port: number }

/** @param handOn false: nobody takes it @throws where the address cannot be listened on */
export async function openDoor({ host, port }: Place, handOn: (client: Socket) => boolean): Promise<Door> {
  const server = createServer({ ...socketOptions, pauseOnConnect: true }, (client) => {
    client.on('error', () => undefined)
    if (!handOn(client)) client.destroy()
  })
  server.listen(port, host)
  await once(server, 'listening')
  const { address, port: chosen } = server.address() as AddressInfo
  // Not until those who came in have left: they are with the workers.
  return { host: address, port: chosen, close: () => void server.close() }
}
