#!/usr/bin/env node
// The command `tidegate`. In an installed package it runs what was built; in a clone it runs the sources, with no build.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'

const source = new URL('../src/main.ts', import.meta.url)

if (existsSync(source)) runSource()
else await import('../dist/main.js')

/** Node reads TypeScript and the `source` exports only when started for it, so a second process does. */
function runSource() {
  const tsx = import.meta.resolve('tsx')
  const args = ['--conditions=source', '--import', tsx, fileURLToPath(source), ...process.argv.slice(2)]
  const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both processes: forwarded too, it would arrive twice, as from an impatient person.
  const atTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor))
  const forward = (signal) => (atTerminal && signal === 'SIGINT' ? undefined : child.kill(signal))
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, forward)
  child.on('error', (error) => {
    console.error(`tidegate could not start ${process.execPath}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    for (const each of signals) process.off(each, forward)
    process.exitCode = code ?? 128 + constants.signals[signal]
  })
}
