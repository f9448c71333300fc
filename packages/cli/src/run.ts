/** From an argument list to an exit code: the parser is made from the command table. */

import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { CommandEntry, OptionEntry } from './command.ts'
import { argumentUsage, optionUsage } from './command.ts'
import { commands, groups } from './command-table.ts'
import type { Context } from './context.ts'
import { isInteractive } from './context.ts'
import type { Exit } from './exit-codes.ts'
import { exitCode } from './exit-codes.ts'
import { Failure, show } from './failure.ts'
import type { Output, OutputFormat } from './output.ts'
import { createOutput } from './output.ts'
import { jsonText } from './terminal-text.ts'
import type { ValueKind } from './values.ts'

/** What every command takes. */
export const globalOptions = {
  output: { flags: '-o, --output <FORMAT>', about: 'human or json.' },
  url: { flags: '--url <URL>', about: 'The server to talk to, instead of TIDEGATE_URL or the one logged in to.' },
  stepUp: {
    flags: '--no-step-up',
    about: 'Where a stronger sign-in is needed, say so and exit with 9, also at a terminal.',
  },
} as const

type GlobalOptions = { readonly output: OutputFormat; readonly url?: string; readonly stepUp: boolean }

/** @returns the exit code */
export async function runCommandLine(context: Context, argv: readonly string[]): Promise<number> {
  let exit: Exit = 'ok'
  const program = buildProgram(context, async (entry, input) => {
    const { output: format, url, stepUp } = program.opts<GlobalOptions>()
    const out = createOutput({ ...context, format })
    const stepsUp = stepUp && format === 'human' && isInteractive(context)
    exit = await entry.run({ ...context, out, urlOption: url, stepsUp }, input)
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCode('ok')
    exit = printFailure(context, formatOf(program), asFailure(error))
  }
  return exitCode(exit)
}

/** Known as soon as the option was read, which may be before whatever went wrong. */
const formatOf = (program: Command): OutputFormat => program.opts<Partial<GlobalOptions>>().output ?? 'human'

function printFailure(context: Context, format: OutputFormat, error: unknown): Exit {
  const { exit, problem, lines } = show(error)
  const out: Output = createOutput({ ...context, format })
  if (format === 'json') context.stderr.write(`${jsonText(problem, 0)}\n`)
  else out.note(...lines)
  return exit
}

function asFailure(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error
  const message = error.message.replace(/^error: /, '')
  return new Failure('usage', message, { remedy: 'See `tidegate --help`, or add --help to the command.' })
}

type Act = (entry: CommandEntry, input: Readonly<Record<string, unknown>>) => Promise<void>

/** The parser. Calls `act` with the command that was meant and what it was given. */
export function buildProgram(context: Context, act: Act): Command {
  const { output, url, stepUp } = globalOptions
  const program = new Command('tidegate')
    .description('Just-in-time access: nothing standing, everything proved.')
    .version(context.version)
    .addOption(new Option(output.flags, output.about).choices(['human', 'json']).default('human'))
    .addOption(new Option(url.flags, url.about))
    .addOption(new Option(stepUp.flags, stepUp.about))
    .addHelpText('after', '\nStart with `tidegate login`, `tidegate resources` and `tidegate connect ROLE`.')
  inherit(program, context)
  for (const entry of commands) addCommand(parentOf(program, entry, context), entry, { context, act })
  return program
}

/** Errors are thrown, and shown in one place; help goes to our streams. */
const inherit = (command: Command, { stdout, stderr }: Context): Command =>
  command
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    })

/** `audit` of `audit tail`, made where it is not there yet. */
function parentOf(program: Command, { name }: CommandEntry, context: Context): Command {
  return name.slice(0, -1).reduce((parent, word) => {
    const found = parent.commands.find((one) => one.name() === word)
    if (found) return found
    return inherit(parent.command(word), context).description(groups[word] ?? '')
  }, program)
}

function addCommand(parent: Command, entry: CommandEntry, { context, act }: { context: Context; act: Act }): void {
  const command = inherit(parent.command(entry.name.at(-1) ?? ''), context)
    .summary(entry.summary)
    .description([entry.summary, ...entry.details].join('\n\n'))
    .addHelpText('after', examplesText(entry))
  for (const argument of Object.values(entry.arguments)) {
    const usage = bracketed(argumentUsage(argument), argument.optional)
    command.addArgument(new Argument(usage, argument.about).argParser(reader(argument.value, argument.many)))
  }
  for (const [name, option] of Object.entries(entry.options)) command.addOption(buildOption(name, option))
  command.action(async () => {
    const names = Object.keys(entry.arguments)
    const given = Object.fromEntries(names.map((name, i): [string, unknown] => [name, command.processedArgs[i]]))
    await act(entry, { ...absent(entry), ...optionsOf(entry, command), ...given })
  })
}

/** Commander's own notation: `<ROLE>`, `[GRANT]`, `<CMD...>`. */
const bracketed = (usage: string, optional: true | undefined): string => {
  const word = usage.replace(/^\[|\]$/g, '').replace('…', '...')
  return optional === true ? `[${word}]` : `<${word}>`
}

function buildOption(name: string, entry: OptionEntry): Option {
  const flags = optionUsage(name, entry).replace(/ (\S+)$/, entry.value === undefined ? ' $1' : ' <$1>')
  const option = new Option(flags, entry.about).conflicts((entry.conflicts ?? []).map(parserName))
  if (entry.value !== undefined) {
    option.argParser(reader(entry.value, entry.many))
    if (entry.default !== undefined) option.default(entry.value.read(entry.default), entry.default)
  }
  return entry.required === true ? option.makeOptionMandatory() : option
}

const reader =
  (kind: ValueKind<unknown>, many: true | undefined) =>
  (text: string, before: unknown): unknown => {
    const value = kind.read(text)
    if (value === undefined) throw new InvalidArgumentError(kind.expects)
    return many === true ? [...(Array.isArray(before) ? (before as unknown[]) : []), value] : value
  }

/** What is written `--no-browser` the parser takes for the opposite of `--browser`. */
const parserName = (name: string): string =>
  isNegated(name) ? `${name.charAt(2).toLowerCase()}${name.slice(3)}` : name

const isNegated = (name: string): boolean => /^no[A-Z]/.test(name)

function optionsOf({ options }: CommandEntry, command: Command): Record<string, unknown> {
  const read = command.opts()
  const values = Object.keys(options).map((name): [string, unknown] => {
    const value: unknown = read[parserName(name)]
    return [name, isNegated(name) ? value === false : value]
  })
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

/** What an option is that was not given. */
const absent = ({ options }: CommandEntry): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { value, many }]) => [
      name,
      many === true ? [] : value === undefined ? false : undefined,
    ]),
  )

const examplesText = ({ examples }: CommandEntry): string =>
  examples.length === 0 ? '' : `\nExamples:\n${examples.map(({ line, about }) => `  # ${about}\n  ${line}`).join('\n')}`
