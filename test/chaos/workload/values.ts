import type { Random } from './random.ts'

const one = (...texts: string[]) => texts

/** SQL literals of every type, the awkward ones of each included. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  amount: one('0', '-0.000001', '99999999999999.999999', '-12345678901234.5', '1e-6', 'NULL'),
  rate: one("'NaN'", "'Infinity'", '0', '1.10', '1.1', '123456789012345678901234567890.123456789', '-1e-30', 'NULL'),
  at: one("'2026-03-29 02:30:00.123456+01'", "'infinity'", "'-infinity'", "'1969-12-31 23:59:59.999999+00'", 'NULL'),
  local_at: one("'2026-10-25 02:30:00'", "'0001-01-01'", "'infinity'", "'2999-12-31 23:59:59.999999'", 'NULL'),
  day: one("'2024-02-29'", "'infinity'", "'1582-10-15'", "'0044-03-15 BC'", 'NULL'),
  clock: one("'00:00:00'", "'24:00:00'", "'12:34:56.789012'", 'NULL'),
  body: one(
    '\'{"a": [1, 2.50, null], "ü": "𝄞"}\'',
    "'null'",
    '\'"text"\'',
    "'12345678901234567890.0001'",
    "'[]'",
    'NULL',
  ),
  tags: one("'{}'", "ARRAY['a', NULL, 'with \"quotes\", {commas} and \\\\']", "ARRAY['', ' ', 'NULL', E'\\n']", 'NULL'),
  numbers: one("'{}'", "'{9223372036854775807,-9223372036854775808,NULL,0}'", "'{1}'", 'NULL'),
  days: one("'{2024-02-29,infinity,NULL}'", "'{}'", 'NULL'),
  raw: one("'\\x'", "'\\x00ff00'", "decode(repeat('ab', 3000), 'hex')", 'NULL'),
  state: one("'draft'", "'sent'", "'void'", 'NULL'),
  flag: one('true', 'false', 'NULL'),
  ratio: one("'NaN'", "'-Infinity'", "'-0'", '0.1', '1e308', '5e-324', 'NULL'),
  small: one('2147483647', '-2147483648', '0', 'NULL'),
}

export function documentValues(random: Random): Record<string, string> {
  return Object.fromEntries(Object.entries(VALUES).map(([name, texts]) => [name, random.oneOf(texts)]))
}
