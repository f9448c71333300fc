/** `docs/reference/cli.md`, from the tables that the command line itself is made of. A test holds the two together. */

import type { ArgumentEntry, CommandEntry, OptionEntry } from './command.ts'
import { argumentUsage, optionUsage } from './command.ts'
import { commands } from './command-table.ts'
import { exits } from './exit-codes.ts'
import type { GatewaySettingRow } from './gateway/settings.ts'
import { gatewaySettingRows } from './gateway/settings.ts'
import { globalOptions } from './run.ts'
import { defaultUrl } from './settings.ts'

const environment: readonly (readonly [string, string])[] = [
  [
    'TIDEGATE_URL',
    `The server, where \`--url\` is not given. Without either it is the one logged in to, or ${defaultUrl}.`,
  ],
  ['TIDEGATE_TOKEN', 'A token. Without it, what `tidegate login` kept, for the server it was kept for only.'],
  ['TIDEGATE_KEYCHAIN', '`none`: keep logins in a file, even where the system has a keychain.'],
  ['BROWSER', 'The program that `tidegate login` opens addresses with, instead of the one of the desktop.'],
  ['TIDEGATE_INSECURE', '`1`: send a token over plain HTTP to another machine too. Refused otherwise.'],
  ['XDG_CONFIG_HOME', 'Where `tidegate/config.json` and `tidegate/login.json` are kept, instead of `~/.config`.'],
  ['XDG_STATE_HOME', 'Where `tidegate/log/` and `tidegate/ca/` are kept, instead of `~/.local/state`.'],
  ['NO_COLOR', 'Set to anything: no colours. There are none either where the output is not a terminal.'],
]

export const renderReference = (): string =>
  [
    '# The command line',
    '',
    '<!-- Made from the command table by `npm run generate`; a test holds it to that. -->',
    '',
    'Results go to stdout, everything said along the way to stderr. Times are shown in your own zone; texts that other people wrote are shown without control characters.',
    '',
    'Durations are `90s`, `30m`, `2h`, `7d`, `1h30m`, or ISO 8601 such as `PT30M`. Times are RFC 3339 with an offset, such as `2026-11-21T09:00:00Z`.',
    '',
    ...table(
      ['Option of every command', ''],
      Object.values(globalOptions).map(({ flags, about }) => [code(flags.replace(/[<>]/g, '')), about]),
    ),
    '',
    '## For scripts',
    '',
    'With `--output json`, stdout carries JSON and nothing else: what the API answers, lists as `{"items": […], "next": …}` with `next` only where there is more. `audit tail`, `recordings verify`, `recordings follow` and the log of `gateway` are one a line. An error is one line of JSON, the last on stderr, with `code`, `title`, `remedy` and what else is known: the problem object of the API, or one of the same kind.',
    '',
    '## Exit codes',
    '',
    ...table(
      ['Code', 'Meaning'],
      Object.values(exits).map((exit) => [String(exit.code), exit.meaning]),
    ),
    '',
    '`exec` and `connect` exit with the code of the program that they ran: 128+n where signal n ended it, 127 where there is no such program, 126 where it cannot be run. A wait that is interrupted by signal n exits with 128+n.',
    '',
    '## Environment',
    '',
    ...table(
      ['Variable', 'Meaning'],
      environment.map(([name, about]) => [code(name), about]),
    ),
    '',
    'Of `tidegate gateway`, and of a gateway that `tidegate server` runs:',
    '',
    ...table(
      ['Variable', 'Default', 'Meaning'],
      Object.values<GatewaySettingRow>(gatewaySettingRows).map(({ env, default: standard, about }) => [
        code(env),
        standard === undefined ? '' : code(standard),
        about,
      ]),
    ),
    '',
    'Files that `tidegate login` writes are refused where others than their owner can read or write them.',
    '',
    '## Commands',
    '',
    ...commands.flatMap(describe),
  ].join('\n')

const describe = (entry: CommandEntry): readonly string[] => [
  `### tidegate ${entry.name.join(' ')}`,
  '',
  `${entry.summary}.`,
  '',
  '```',
  usage(entry),
  '```',
  '',
  ...entry.details.flatMap((paragraph) => [paragraph, '']),
  ...describeInputs(entry),
  '```sh',
  ...entry.examples.flatMap(({ line, about }) => [`# ${about}`, line]),
  '```',
  '',
]

function usage({ name, arguments: args, options }: CommandEntry): string {
  const hasOptions = Object.keys(options).length > 0
  return ['tidegate', ...name, ...(hasOptions ? ['[OPTIONS]'] : []), ...Object.values(args).map(argumentUsage)].join(
    ' ',
  )
}

function describeInputs(entry: CommandEntry): readonly string[] {
  const rows = [
    ...Object.values(entry.arguments).map((argument) => [code(argumentUsage(argument)), aboutArgument(argument)]),
    ...Object.entries(entry.options).map(([name, option]) => [code(optionUsage(name, option)), aboutOption(option)]),
  ]
  return rows.length === 0 ? [] : [...table(['', ''], rows), '']
}

const aboutArgument = ({ about, value }: ArgumentEntry): string => [about, value.expects].filter(Boolean).join(' ')

const aboutOption = ({ about, required, default: standard }: OptionEntry): string =>
  [about, required === true ? 'Required.' : undefined, standard === undefined ? undefined : `Default: \`${standard}\`.`]
    .filter((part) => part !== undefined)
    .join(' ')

const code = (text: string): string => `\`${text}\``

const table = (headings: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => [
  row(headings),
  row(headings.map(() => '---')),
  ...rows.map(row),
]

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
