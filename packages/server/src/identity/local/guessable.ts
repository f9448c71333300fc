/**
 * What guessers try first. Lists of leaked passwords have few of twelve characters, and those are words that everyone
 * uses, rows of keys and one thing said twice, with digits behind them. So these are taken out, and what is left has to
 * be enough; a list of millions would say little more.
 */

/** Ours, and those that most leaked passwords begin with. In lower case, as they are once signs are read as letters. */
const words = [
  'tidegate',
  'password',
  'passwort',
  'passord',
  'contrasena',
  'motdepasse',
  'passphrase',
  'administrator',
  'administrateur',
  'admin',
  'letmein',
  'changeme',
  'change',
  'welcome',
  'willkommen',
  'bienvenue',
  'iloveyou',
  'trustno',
  'whatever',
  'sunshine',
  'princess',
  'football',
  'baseball',
  'basketball',
  'superman',
  'batman',
  'spiderman',
  'starwars',
  'pokemon',
  'minecraft',
  'liverpool',
  'chelsea',
  'arsenal',
  'monkey',
  'dragon',
  'master',
  'shadow',
  'michael',
  'jennifer',
  'jordan',
  'charlie',
  'computer',
  'internet',
  'server',
  'secret',
  'geheim',
  'login',
  'access',
  'default',
  'company',
  'temporary',
  'testtest',
  'test',
  'hello',
  'hallo',
  'spring',
  'summer',
  'autumn',
  'winter',
  'january',
  'february',
  'monday',
  'friday',
]

/** Neighbours on a keyboard, in the alphabet and among the digits; read backwards as well. */
const rows = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjkl',
  'qsdfghjklm',
  'zxcvbnm',
  'yxcvbnm',
  '!@#$%^&*()',
  '!"§$%&/()=',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  '1q2w3e4r5t6y7u8i9o0p',
  'zaq12wsxcde34rfvbgt56yhnmju78ik',
  'q1w2e3r4t5y6u7i8o9p0',
].flatMap((row) => [row, [...row].toReversed().join('')])

/** Shorter ones are in most sentences. */
const shortestRow = 3

/** What is written for a letter. */
const letters: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
}

/** What of it is neither the user's name, nor among the first that are tried, nor the same once more. */
export function ownPartOf(password: string, user: string): string {
  const parts = [...new Set(user.toLowerCase().split(/[^\p{L}\p{N}]+/u))].filter((part) => part.length >= shortestRow)
  const known = [user.toLowerCase(), ...parts, ...words].toSorted((a, b) => b.length - a.length)
  const once = withoutRepetition(password.toLowerCase())
  return withoutRepetition(withoutSameSigns(withoutRows(withoutYears(withoutWords(once, known)))))
}

/** Found in what it reads as, taken out of what it is: the two are of one length. */
function withoutWords(text: string, known: readonly string[]): string {
  let left = text
  for (const word of known)
    for (let at = readAs(left).indexOf(readAs(word)); at >= 0; at = readAs(left).indexOf(readAs(word)))
      left = left.slice(0, at) + left.slice(at + word.length)
  return left
}

const readAs = (text: string): string => text.replaceAll(/[013457@$!]/g, (sign) => letters[sign] as string)

const withoutYears = (text: string): string => text.replaceAll(/(?:19|20)\d\d/g, '')

function withoutRows(text: string): string {
  let left = ''
  for (let at = 0; at < text.length;) {
    const length = rowAt(text, at)
    if (length === 0) left += text[at]
    at += Math.max(1, length)
  }
  return left
}

/** How long the row is that begins here; zero: none does. */
function rowAt(text: string, at: number): number {
  let length = 0
  const isRow = (end: number): boolean => end <= text.length && rows.some((row) => row.includes(text.slice(at, end)))
  while (isRow(at + length + 1)) length += 1
  return length >= shortestRow ? length : 0
}

/** Three of a kind count as one. */
const withoutSameSigns = (text: string): string => text.replaceAll(/(.)\1{2,}/gsu, '$1')

/** The shortest beginning that, said again and again, makes all of it. */
function withoutRepetition(text: string): string {
  for (let length = 1; length <= text.length / 2; length++)
    if (text.startsWith(text.slice(length))) return text.slice(0, length)
  return text
}
