import { COUNTRIES } from '../erp/countries.ts'
import type { Random } from './random.ts'

export interface InventedCustomer {
  readonly name: string
  readonly email: string
  readonly phone: string
  readonly taxId: string | null
  readonly currency: string
  readonly segment: 'retail' | 'wholesale'
  readonly address: {
    readonly street: string
    readonly postal_code: string
    readonly city: string
    readonly country: string
  }
}

const COUNTRY_SLOTS = COUNTRIES.flatMap((country) => Array.from({ length: country.weight }, () => country))

/** Somebody who does not exist, of the same kind as the customers that the demo's ERP starts with. */
export function inventCustomer(random: Random): InventedCustomer {
  const country = random.oneOf(COUNTRY_SLOTS)
  const segment = random.below(2) === 0 ? 'retail' : 'wholesale'
  const [city, postalCode] = random.oneOf(country.cities)
  const parts: Record<string, string> = {
    first: random.oneOf(country.firstNames),
    last: random.oneOf(country.lastNames),
    trade: random.oneOf(country.trades),
    legal: random.oneOf(country.legalForms),
    street: random.oneOf(country.streets),
    number: String(1 + random.below(140)),
  }
  const fill = (template: string) => template.replaceAll(/\{(\w+)\}/g, (_, name: string) => parts[name] ?? '')
  const digits = (pattern: string) => pattern.replaceAll('#', () => String(random.below(10)))
  return {
    name: fill(segment === 'retail' ? country.person : country.company),
    email: `contact.${country.code.toLowerCase()}.${1000 + random.below(9_000_000)}@mail.example`,
    phone: digits(country.phone),
    taxId: segment === 'retail' ? null : digits(country.taxId),
    currency: country.currency,
    segment,
    address: { street: fill(country.street), postal_code: digits(postalCode), city, country: country.code },
  }
}
