import { COUNTRIES } from './countries.ts'
import { ADJECTIVES, CATEGORIES, LONG_TEXT, ORDER_NOTES, STOCK_LOCATIONS } from './products.ts'

/** How much the demo ERP holds. Invoices follow from the orders: about five for six orders. */
export interface ErpSize {
  readonly customers: number
  readonly products: number
  readonly orders: number
}

export interface RowStep {
  readonly table: string
  readonly sql: string
}

/** `to_char` template and number of digits of a pattern in which `#` is a digit; everything else is taken as it is. */
export function digitTemplate(pattern: string): { template: string; modulus: number } {
  let template = 'FM'
  let digits = 0
  for (const part of pattern.split(/(#+)/)) {
    if (part.startsWith('#')) {
      template += '0'.repeat(part.length)
      digits += part.length
    } else if (part !== '') template += `"${part.replaceAll('"', '')}"`
  }
  return { template, modulus: 10 ** digits }
}

/** One element for each unit of weight, so that SQL chooses a country by an even draw. */
export function countrySlots(): readonly Record<string, unknown>[] {
  return COUNTRIES.flatMap((country) => {
    const phone = digitTemplate(country.phone)
    const taxId = digitTemplate(country.taxId)
    const cities = country.cities.map(([name, pattern]) => ({ name, ...digitTemplate(pattern) }))
    const row = {
      code: country.code,
      currency: country.currency,
      person: country.person,
      company: country.company,
      street_form: country.street,
      first_names: country.firstNames,
      last_names: country.lastNames,
      trades: country.trades,
      legal_forms: country.legalForms,
      bodies: country.bodies,
      streets: country.streets,
      city_names: cities.map((city) => city.name),
      city_templates: cities.map((city) => city.template),
      city_moduli: cities.map((city) => city.modulus),
      phone_template: phone.template,
      phone_modulus: phone.modulus,
      tax_template: taxId.template,
      tax_modulus: taxId.modulus,
    }
    return Array.from({ length: country.weight }, () => row)
  }).map((row, slot) => ({ slot, ...row }))
}

/**
 * Deterministic draws: a hash of (row, salt) instead of random(), so that a row is the same whatever plan the server takes.
 * `asOf` is the day the data ends.
 */
export function prepareRowsSql(seed: number, asOf: Date): { functions: string; countries: string } {
  const functions = `
    CREATE FUNCTION pg_temp.draw(id bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE AS
      $$ SELECT hashint8extended(id, ${seed} * 1000::bigint + salt) & 9223372036854775807 $$;
    CREATE FUNCTION pg_temp.pick(id bigint, salt int, below bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
      $$ SELECT pg_temp.draw(id, salt) % below $$;
    CREATE FUNCTION pg_temp.share(id bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
      $$ SELECT pg_temp.draw(id, salt) / 9223372036854775808.0::float8 $$;
    CREATE FUNCTION pg_temp.one_of(list text[], id bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE AS
      $$ SELECT list[1 + pg_temp.pick(id, salt, cardinality(list))] $$;
    CREATE FUNCTION pg_temp.as_of() RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
      $$ SELECT timestamptz '${asOf.toISOString()}' $$;
  `
  const countries = `
    CREATE TEMP TABLE country ON COMMIT DROP AS
      SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS c(
        slot int, code text, currency text, person text, company text, street_form text,
        first_names text[], last_names text[], trades text[], legal_forms text[], bodies text[], streets text[],
        city_names text[], city_templates text[], city_moduli bigint[],
        phone_template text, phone_modulus bigint, tax_template text, tax_modulus bigint);
  `
  return { functions, countries }
}

/** The statements that fill the tables, in the order of their foreign keys. */
export function rowSteps(size: ErpSize): readonly RowStep[] {
  return [
    { table: 'customers', sql: customersSql(size.customers) },
    { table: 'products', sql: productsSql(size.products) },
    { table: 'stock_levels', sql: stockLevelsSql() },
    { table: 'orders', sql: ordersSql(size.customers, size.orders) },
    { table: 'invoices', sql: INVOICES_SQL },
  ]
}

/** For the e-mail addresses: each letter and what stands for it at the same place. */
const ACCENTED = 'äöüéèëêáàâãåąçćčďęěíìïîłñńňóòôøřśšťúùůûýžźżğışœ'
const PLAIN = 'aoueeeeaaaaaacccdeeiiiilnnnoooorsstuuuuyzzzgiso'

const customersSql = (count: number) => `
  INSERT INTO customers
  SELECT id, name,
    CASE segment WHEN 'retail' THEN slug || '@mail.example'
      WHEN 'wholesale' THEN 'info@' || slug || '.example' ELSE 'office@' || slug || '.example' END,
    to_char(pg_temp.pick(id, 10, c.phone_modulus), c.phone_template),
    CASE WHEN segment <> 'retail' OR pg_temp.pick(id, 11, 5) = 0
      THEN to_char(pg_temp.pick(id, 12, c.tax_modulus), c.tax_template) END,
    CASE segment WHEN 'retail' THEN 500 + 250 * pg_temp.pick(id, 13, 20)
      ELSE 5000 + 2500 * floor(80 * power(pg_temp.share(id, 13), 2)) END::numeric(14,2),
    c.currency, segment::customer_segment,
    jsonb_build_object(
      'street', replace(replace(c.street_form, '{street}', pg_temp.one_of(c.streets, id, 14)),
        '{number}', (1 + pg_temp.pick(id, 15, 140))::text),
      'postal_code', to_char(pg_temp.pick(id, 16, c.city_moduli[city]), c.city_templates[city]),
      'city', c.city_names[city], 'country', c.code),
    CASE WHEN segment = 'public' THEN '{tender}'::text[] ELSE '{}' END
      || CASE pg_temp.pick(id, 17, 9) WHEN 0 THEN '{key-account}'::text[] WHEN 1 THEN '{newsletter}'
        WHEN 2 THEN '{newsletter,early-payer}' WHEN 3 THEN '{export}' ELSE '{}' END,
    pg_temp.pick(id, 18, 40) <> 0, created_at,
    least(created_at + pg_temp.share(id, 20) * interval '400 days', pg_temp.as_of())
  FROM (
    SELECT *, trim(both '-' from regexp_replace(
        translate(replace(lower(name), 'ß', 'ss'), ${literal(ACCENTED)}, ${literal(PLAIN)}),
        '[^a-z0-9]+', '-', 'g')) || '-' || id AS slug
    FROM (
      SELECT id, slot, segment, city,
        replace(replace(replace(replace(replace(
          CASE segment WHEN 'retail' THEN person WHEN 'wholesale' THEN company ELSE pg_temp.one_of(bodies, id, 4) END,
          '{first}', pg_temp.one_of(first_names, id, 5)), '{last}', pg_temp.one_of(last_names, id, 6)),
          '{trade}', pg_temp.one_of(trades, id, 7)), '{legal}', pg_temp.one_of(legal_forms, id, 8)),
          '{city}', city_names[city]) AS name,
        pg_temp.as_of() - (3 + 3000 * (1 - id / ${count}.0::float8)) * interval '1 day'
          - pg_temp.share(id, 9) * interval '1 day' AS created_at
      FROM (
        SELECT id, country.*, 1 + pg_temp.pick(id, 3, cardinality(city_names)) AS city,
          CASE WHEN pg_temp.pick(id, 2, 100) < 52 THEN 'retail'
            WHEN pg_temp.pick(id, 2, 100) < 93 THEN 'wholesale' ELSE 'public' END AS segment
        FROM generate_series(1, ${count}::bigint) id
        JOIN country ON slot = pg_temp.pick(id, 1, (SELECT count(*) FROM country))
      ) placed
    ) named
  ) x JOIN country c USING (slot)
`

const productsSql = (count: number) => `
  INSERT INTO products
  SELECT id, (k.v->>'prefix') || '-' || to_char(id, 'FM000000'),
    initcap(pg_temp.one_of(${textArray(ADJECTIVES)}, id, 31)) || ' ' || pg_temp.one_of(nouns, id, 32)
      || ' ' || (10 * (1 + pg_temp.pick(id, 33, 40))),
    'A ' || pg_temp.one_of(${textArray(ADJECTIVES)}, id, 34) || ' ' || pg_temp.one_of(nouns, id, 32) || '. '
      || repeat(${literal(LONG_TEXT)}, (CASE WHEN pg_temp.pick(id, 35, 25) = 0 THEN 24 ELSE pg_temp.pick(id, 36, 3) END)::int),
    round((2 + 900 * power(pg_temp.share(id, 37), 3))::numeric, 2) - 0.01,
    round((0.05 + 40 * power(pg_temp.share(id, 38), 2))::numeric, 3),
    jsonb_build_object('category', k.v->>'name', 'colour', pg_temp.one_of('{black,white,grey,red,blue,natural}', id, 39),
      'material', pg_temp.one_of('{steel,oak,aluminium,polyamide,brass,glass}', id, 40),
      'size_mm', jsonb_build_array(10 + pg_temp.pick(id, 41, 900), 10 + pg_temp.pick(id, 42, 600), 5 + pg_temp.pick(id, 43, 300)),
      'hazardous', pg_temp.pick(id, 44, 50) = 0),
    pg_temp.pick(id, 45, 33) = 0,
    pg_temp.as_of() - pg_temp.share(id, 46) * interval '300 days'
  FROM generate_series(1, ${count}::bigint) id
  CROSS JOIN LATERAL (SELECT ${literal(JSON.stringify(CATEGORIES))}::jsonb -> pg_temp.pick(id, 30, ${CATEGORIES.length})::int AS v) k
  CROSS JOIN LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(k.v->'nouns')) AS nouns) n
`

const stockLevelsSql = () => `
  INSERT INTO stock_levels
  SELECT product_id, location, quantity, least(quantity, pg_temp.pick(n, 52, 12))::int,
    (10 + 5 * pg_temp.pick(n, 53, 10))::int, (pg_temp.as_of() - pg_temp.pick(n, 54, 180) * interval '1 day')::date,
    pg_temp.as_of() - pg_temp.share(n, 55) * interval '30 days'
  FROM (
    SELECT product_id, location, product_id * 100 + place AS n,
      (800 * power(pg_temp.share(product_id * 100 + place, 51), 2))::int AS quantity
    FROM products, unnest(${textArray(STOCK_LOCATIONS)}) WITH ORDINALITY AS l(location, place)
  ) s
`

/** Customers with low numbers are old and few customers buy most: the third power of an even draw. */
const ordersSql = (customers: number, count: number) => `
  INSERT INTO orders
  SELECT overlay(overlay(md5('order' || pg_temp.draw(id, 60)) placing '4' from 13) placing 'a' from 17)::uuid,
    c.customer_id, status::order_status, ordered_at, round((15 + 6000 * power(pg_temp.share(id, 64), 4))::numeric, 2),
    c.currency, c.address,
    CASE WHEN pg_temp.pick(id, 65, 6) = 0 THEN pg_temp.one_of(${textArray(ORDER_NOTES)}, id, 66) END,
    least(ordered_at + pg_temp.share(id, 67) * interval '9 days', pg_temp.as_of())
  FROM (
    SELECT id, 1 + floor(${customers} * power(pg_temp.share(id, 61), 3))::bigint AS customer_id,
      pg_temp.as_of() - (730 * (1 - id / ${count}.0::float8)) * interval '1 day' - pg_temp.share(id, 62) * interval '9 hours' AS ordered_at,
      CASE WHEN id > ${count} * 0.995 THEN 'draft' WHEN id > ${count} * 0.98 THEN 'confirmed'
        WHEN pg_temp.pick(id, 63, 100) < 12 THEN 'cancelled' WHEN id > ${count} * 0.95 THEN 'shipped' ELSE 'delivered' END AS status
    FROM generate_series(1, ${count}::bigint) id
  ) o JOIN customers c USING (customer_id)
  ORDER BY id
`

const INVOICES_SQL = `
  INSERT INTO invoices
  SELECT n, 'INV-' || extract(year FROM issued_on) || '-' || to_char(n, 'FM0000000'), order_id, customer_id,
    issued_on, issued_on + 30, total, round(total * 19 / 119, 2), paid,
    CASE WHEN paid THEN issued_on + (2 + pg_temp.pick(n, 72, 27)) * interval '1 day' + pg_temp.share(n, 73) * interval '1 day' END,
    least(CASE WHEN paid THEN issued_on + 29 ELSE issued_on + 1 END, pg_temp.as_of())
  FROM (
    SELECT *, issued_on < pg_temp.as_of() - interval '30 days' AND pg_temp.pick(n, 71, 30) <> 0 AS paid
    FROM (
      SELECT row_number() OVER (ORDER BY ordered_at, order_id) AS n, order_id, customer_id, total, ordered_at,
        least(ordered_at + interval '2 days', pg_temp.as_of())::date AS issued_on
      FROM orders WHERE status IN ('shipped', 'delivered')
    ) numbered
  ) i
`

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function textArray(words: readonly string[]): string {
  return `ARRAY[${words.map(literal).join(',')}]`
}
