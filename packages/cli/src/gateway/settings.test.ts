import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readGatewaySettings } from './settings.ts'

async function files() {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-gateway-settings-'))
  onTestFinished(async () => rm(folder, { recursive: true, force: true }))
  const [cert, key, ca] = ['cert', 'key', 'ca'].map((name) => join(folder, `${name}.pem`)) as [string, string, string]
  for (const path of [cert, key, ca]) await writeFile(path, `PEM of ${path}`)
  return { folder, cert, key, ca }
}

describe('settings of a gateway', () => {
  it('are a place on loopback without TLS, where nothing is said', async () => {
    expect(await readGatewaySettings({ TIDEGATE_GATEWAY_TLS_KEY: '' })).toEqual({
      listen: { host: '127.0.0.1', port: 7432 },
      openWithoutServerMs: 10_000,
      workers: 1,
    })
  })

  it('are read from the environment and from the files that it names', async () => {
    const { cert, key, ca } = await files()
    const settings = await readGatewaySettings({
      TIDEGATE_GATEWAY_LISTEN: '[::]:6000',
      TIDEGATE_GATEWAY_ADVERTISE: 'db.example.com:7000',
      TIDEGATE_GATEWAY_TLS_CERT: cert,
      TIDEGATE_GATEWAY_TLS_KEY: key,
      TIDEGATE_GATEWAY_TLS_CA: ca,
      TIDEGATE_GATEWAY_OPEN_WITHOUT_SERVER: '30s',
      TIDEGATE_GATEWAY_WORKERS: '4',
    })
    expect(settings).toEqual({
      listen: { host: '::', port: 6_000 },
      advertise: { host: 'db.example.com', port: 7_000 },
      tls: { cert: `PEM of ${cert}`, key: `PEM of ${key}`, ca: `PEM of ${ca}` },
      openWithoutServerMs: 30_000,
      workers: 4,
    })
  })

  it.each([
    [{ TIDEGATE_GATEWAY_TLS_CERT: 'x' }, /TLS_KEY: missing/],
    [{ TIDEGATE_GATEWAY_TLS_KEY: 'x' }, /TLS_CERT: missing/],
    [{ TIDEGATE_GATEWAY_TLS_CA: 'x' }, /TLS_CERT: missing/],
    [{ TIDEGATE_GATEWAY_TLS_CA: 'x', TIDEGATE_GATEWAY_TLS_KEY: 'x' }, /TLS_CERT: missing/],
    [{ TIDEGATE_GATEWAY_TLS_CERT: '/no/such', TIDEGATE_GATEWAY_TLS_KEY: '/no/such' }, /cannot be read \(ENOENT\)/],
    [{ TIDEGATE_GATEWAY_LISTEN: '7432' }, /LISTEN: 7432 is not HOST:PORT/],
    [{ TIDEGATE_GATEWAY_LISTEN: '::1:7432' }, /is not HOST:PORT/],
    [{ TIDEGATE_GATEWAY_LISTEN: '127.0.0.1:70000' }, /is not HOST:PORT/],
    [{ TIDEGATE_GATEWAY_ADVERTISE: 'db.example.com' }, /ADVERTISE: db.example.com is not HOST:PORT/],
    [{ TIDEGATE_GATEWAY_OPEN_WITHOUT_SERVER: 'soon' }, /soon is not a duration/],
    ...['0', '65', '1.5', '-1', 'all'].map((wrong): [Record<string, string>, RegExp] => [
      { TIDEGATE_GATEWAY_WORKERS: wrong },
      new RegExp(`TIDEGATE_GATEWAY_WORKERS: ${wrong} is not a number of processes`),
    ]),
  ])('that are half said or cannot be read are refused: %j', async (env, message) => {
    await expect(readGatewaySettings(env)).rejects.toThrow(message)
  })
})
