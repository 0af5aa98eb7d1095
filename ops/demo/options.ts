import { parseArgs } from 'node:util'
import { TributaryError } from '../../schemas/errors.ts'

export interface DemoOptions {
  /** Lines of JSON instead of a screen. */
  readonly json: boolean
  /** When the store fails by itself, after everything is copied; null for when somebody presses a key. */
  readonly failAfterMs: number | null
  readonly failForMs: number
  readonly customers: number
  readonly help: boolean
}

const SECONDS_MAX = 3_600
/** Each is some requests to the CRM and the store when everything is copied. */
const CUSTOMERS = 2_000
/** The workload leaves the first hundred alone. */
const CUSTOMERS_MIN = 150
const CUSTOMERS_MAX = 20_000

export const HELP = `Usage: npm start [-- options]

The local stack, a demo ERP and three subscribers (a warehouse, a CRM, a store), live, until Ctrl-C.
On a terminal, the key f makes the store fail, and heals it.

  --fail-after <seconds>  the store fails by itself, so long after everything is copied
  --fail-for <seconds>    for how long then (default 30)
  --customers <number>    how many the ERP has (default ${CUSTOMERS}, ${CUSTOMERS_MIN} to ${CUSTOMERS_MAX})
  --json                  a line of JSON every few seconds instead of a screen
`

/** @throws TributaryError `declaration-invalid` for what it does not know */
export function parseDemoOptions(args: readonly string[]): DemoOptions {
  const values = parsed(args)
  const seconds = (name: 'fail-after' | 'fail-for') => whole(name, values[name], 0, SECONDS_MAX)
  return {
    json: values.json ?? false,
    help: values.help ?? false,
    failAfterMs: values['fail-after'] === undefined ? null : seconds('fail-after') * 1_000,
    failForMs: values['fail-for'] === undefined ? 30_000 : seconds('fail-for') * 1_000,
    customers:
      values.customers === undefined ? CUSTOMERS : whole('customers', values.customers, CUSTOMERS_MIN, CUSTOMERS_MAX),
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        'fail-after': { type: 'string' },
        'fail-for': { type: 'string' },
        customers: { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new TributaryError('declaration-invalid', `${(error as Error).message}\n\n${HELP}`, { cause: error })
  }
}

function whole(name: string, text: string | undefined, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(text ?? '') ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new TributaryError(
    'declaration-invalid',
    `--${name} has to be a whole number from ${min} to ${max}.\n\n${HELP}`,
  )
}
