/** A type of PostgreSQL, the type its field is declared with, and SQL values to carry: the extreme and the odd ones. */
export interface TypeCase {
  readonly type: string
  readonly declared: string
  readonly values: readonly string[]
  /** Whether the type has an equality that means the same value; others are compared as text alone. */
  readonly comparable?: false
}

export const SETUP = `
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'very, "happy"', 'ünïcode 😀');
CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
CREATE DOMAIN email AS citext CHECK (VALUE LIKE '%@%');
CREATE DOMAIN tags AS text[] CHECK (cardinality(VALUE) < 5);
CREATE DOMAIN deep AS positive CHECK (VALUE < 100);
CREATE TYPE place AS (street text, "number" int, at point, tags text[]);
CREATE TYPE nested AS (name text, home place);
CREATE DOMAIN address AS place CHECK (VALUE IS NULL OR (VALUE).street IS NOT NULL);
CREATE TYPE floatrange AS RANGE (subtype = float8);
`

const LONG_TEXT = `repeat('0123456789abcdef', 20000)`

/** Declared with a type of their own: the warehouse's column has it too. */
const OWN_KIND: readonly TypeCase[] = [
  { type: 'smallint', declared: 'int32', values: ['-32768', '32767', '0'] },
  { type: 'integer', declared: 'int32', values: ['-2147483648', '2147483647', '-1'] },
  {
    type: 'bigint',
    declared: 'int64',
    values: ['-9223372036854775808', '9223372036854775807', '9007199254740993', '-4503599627370497'],
  },
  { type: 'oid', declared: 'int64', values: ['4294967295', '0'] },
  {
    type: 'numeric(38,10)',
    declared: 'decimal(38,10)',
    values: [
      '-9999999999999999999999999999.9999999999',
      '9999999999999999999999999999.9999999999',
      '0.0000000001',
      '0',
    ],
  },
  {
    type: 'numeric(1000,500)',
    declared: 'decimal(1000,500)',
    values: [`(repeat('9', 500) || '.' || repeat('9', 500))::numeric`, `-('0.' || repeat('0', 499) || '1')::numeric`],
  },
  { type: 'numeric(5,-2)', declared: 'decimal(7,0)', values: ['-9999900', '100'] },
  { type: 'numeric(3,5)', declared: 'decimal(5,5)', values: ['0.00999', '-0.00001'] },
  {
    type: 'numeric',
    declared: 'numeric',
    values: [
      `'NaN'`,
      `'Infinity'`,
      `'-Infinity'`,
      `repeat('9', 131072)::numeric`,
      `('-0.' || repeat('0', 16382) || '1')::numeric`,
      '1.10',
      '1.100',
      '0.00',
    ],
  },
  {
    type: 'double precision',
    declared: 'double',
    values: [
      `'-0'`,
      `'NaN'`,
      `'Infinity'`,
      `'-Infinity'`,
      '5e-324',
      '2.2250738585072009e-308',
      '1.7976931348623157e308',
      '0.1::float8 + 0.2',
    ],
  },
  {
    type: 'real',
    declared: 'double',
    values: [`'-0'`, `'NaN'`, `'Infinity'`, `'-Infinity'`, '1e-45', '3.4028235e38', '0.1', '16777217'],
  },
  { type: 'boolean', declared: 'boolean', values: ['true', 'false'] },
  {
    type: 'date',
    declared: 'date',
    values: [`'infinity'`, `'-infinity'`, `'4713-01-01 BC'`, `'5874897-12-31'`, `'0001-12-31 BC'`, `'2000-02-29'`],
  },
  { type: 'time', declared: 'time', values: [`'00:00:00'`, `'24:00:00'`, `'23:59:59.999999'`, `'23:59:60'`] },
  {
    type: 'timestamp',
    declared: 'timestamp',
    values: [
      `'infinity'`,
      `'-infinity'`,
      `'4714-11-24 00:00:00 BC'`,
      `'294246-12-31 23:59:59.999999'`,
      `'1969-12-31 23:59:59.999999'`,
      `'2016-12-31 23:59:60'`,
      `'2024-02-29 24:00:00'`,
    ],
  },
  { type: 'timestamp(0)', declared: 'timestamp', values: [`'2024-02-29 12:00:00.5'`] },
  {
    type: 'timestamptz',
    declared: 'timestamptz',
    values: [
      `'infinity'`,
      `'-infinity'`,
      `'4714-11-24 00:00:00+00 BC'`,
      `'294246-12-31 23:59:59.999999+00'`,
      `'1883-11-18 12:03:58-04:56:02'`,
      `'2024-10-27 02:30:00 Europe/Berlin'`,
    ],
  },
  {
    type: 'uuid',
    declared: 'uuid',
    values: [`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `'00000000-0000-0000-0000-000000000000'`],
  },
  { type: 'bytea', declared: 'bytes', values: [`''`, `'\\x00'`, `'\\x00ff5c27'`, `convert_to(${LONG_TEXT}, 'UTF8')`] },
  {
    type: 'jsonb',
    declared: 'json',
    values: [
      `'{"b": 1.10, "a": [null, true, "\\"q\\""], "": {}}'`,
      `'123456789012345678901234567890.0000000001'`,
      `'1e400'`,
      `'"\\u20ac\\ud83d\\ude00 \\\\u0041"'`,
      `'null'`,
      `'{"a": 1, "a": 2}'`,
      `'[[[[[[]]]]]]'`,
    ],
  },
  { type: 'mood', declared: 'enum(sad,ok)', values: [`'sad'`, `'ok'`] },
  { type: 'positive', declared: 'int64', values: ['1', '9223372036854775807'] },
  { type: 'deep', declared: 'int64', values: ['99'] },
  { type: 'bigint[]', declared: 'int64[]', values: [`'{}'`, `'{NULL,1,-9223372036854775808}'`] },
  { type: 'numeric(6,2)[]', declared: 'decimal(6,2)[]', values: [`'{1.1,NULL,-0.05}'`] },
  { type: 'double precision[]', declared: 'double[]', values: [`'{-0,NaN,Infinity,5e-324}'`] },
  { type: 'boolean[]', declared: 'boolean[]', values: [`'{t,NULL,f}'`] },
  { type: 'date[]', declared: 'date[]', values: [`'{infinity,"0001-12-31 BC"}'`] },
  { type: 'timestamptz[]', declared: 'timestamptz[]', values: [`'{infinity,"1970-01-01 00:00:00.000001+00"}'`] },
  { type: 'uuid[]', declared: 'uuid[]', values: [`'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'`] },
  { type: 'bytea[]', declared: 'bytes[]', values: [`ARRAY['\\x00'::bytea, '\\x5c22', NULL, '']`] },
  { type: 'jsonb[]', declared: 'json[]', values: [`ARRAY['{"a": "b,}\\\\\\""}'::jsonb, 'null', NULL]`] },
  {
    type: 'text[]',
    declared: 'string[]',
    values: [`ARRAY['a,b', NULL, 'NULL', '"q"', '\\', '{}', '', ' ', E'\\n', '😀']`],
  },
  { type: 'mood[]', declared: 'enum(sad,ok)[]', values: [`'{ok,NULL,sad}'`] },
  { type: 'positive[]', declared: 'int64[]', values: [`'{1,2}'`] },
  { type: 'tags', declared: 'string[]', values: [`'{a,"b c"}'`] },
  {
    type: 'place[]',
    declared: 'string[]',
    values: [`ARRAY[ROW('a "b", (c)', 1, '(1,2)', '{x,"y z"}')::place, NULL]`],
    comparable: false,
  },
]

/** Types without a kind of their own travel as text, and what a kind cannot hold does too where it is declared so. */
const AS_TEXT: readonly TypeCase[] = (
  [
    [
      'text',
      [
        `''`,
        `E'\\x01 \\t\\r\\n \\x7f'`,
        `'O''Brien "x" \\ {,} NULL'`,
        `U&'\\+01F600\\+10FFFF\\FFFD\\200D\\FEFF'`,
        LONG_TEXT,
      ],
    ],
    ['varchar(10)', [`'äöü'`, `' a '`]],
    ['char(5)', [`'ab'`, `''`]],
    ['name', [`repeat('n', 63)`]],
    ['"char"', [`'x'`, `''`]],
    ['citext', [`'MiXed'`]],
    ['email', [`'A@b.example'`]],
    ['mood', [`'very, "happy"'`, `'ünïcode 😀'`]],
    ['money', [`(-92233720368547758.08)::numeric::money`, `92233720368547758.07::numeric::money`, '0::money']],
    ['timetz', [`'24:00:00-15:59:59'`, `'00:00:00.000001+15:59'`]],
    [
      'interval',
      [
        `'178000000 years'`,
        `'-178000000 years'`,
        `'-1 mon +2 days -03:04:05.000006'`,
        `'infinity'`,
        `'-infinity'`,
        `'0'`,
      ],
    ],
    ['bit(9)', [`B'101010101'`]],
    ['varbit', [`B''`, `repeat('10', 5000)::varbit`]],
    ['inet', [`'192.168.0.1/24'`, `'::ffff:1.2.3.4'`, `'2001:db8::/32'`]],
    ['cidr', [`'10.0.0.0/8'`, `'::/0'`]],
    ['macaddr', [`'08:00:2b:01:02:03'`]],
    ['macaddr8', [`'08:00:2b:01:02:03:04:05'`]],
    ['int4range', [`'empty'`, `'(,)'`, `'[1,5)'`]],
    ['int8range', [`'[-9223372036854775808,9223372036854775806]'`]],
    ['numrange', [`'[1.10,NaN)'`, `'(,-0.00)'`]],
    ['tstzrange', [`'["2024-01-01 00:00:00.000001+00",infinity)'`]],
    ['daterange', [`'[-infinity,0001-12-31 BC)'`]],
    ['floatrange', [`'[-0,5e-324)'`]],
    ['int4multirange', [`'{}'`, `'{[1,2),[5,)}'`]],
    ['tstzmultirange', [`'{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}'`]],
    ['tsvector', [`'''a b'':1A,2B c:3'`, `''`]],
    ['tsquery', [`'a & !(b | c:*A) <2> d'`]],
    ['pg_lsn', [`'FFFFFFFF/FFFFFFFF'`, `'0/0'`]],
    ['oid', ['4294967295']],
    ['regclass', [`'pg_class'`]],
    ['regtype', [`'integer'`]],
    ['int2vector', [`'1 2 3'`]],
    ['hstore', [`'a=>NULL, "b c"=>"\\"d\\"", ""=>""'`]],
    ['numeric', [`'NaN'`, '1.10']],
    ['timestamp', [`'294276-12-31 23:59:59.999999'`, `'infinity'`]],
    ['timestamptz', [`'294276-12-31 23:59:59.999999+00'`]],
    ['double precision', [`'-0'`, '5e-324']],
    ['bytea', [`'\\x00ff'`]],
    ['boolean', ['true', 'false']],
    ['int[]', [`'[-1:0][2:3]={{1,2},{3,NULL}}'`, `'{{{1}}}'`, `'{}'`, `'[5:5]={7}'`]],
    ['text[]', [`ARRAY[['a,b', NULL], ['NULL', '"\\']]`]],
    ['mood[]', [`ARRAY['very, "happy"'::mood, NULL]`]],
    ['int4range[]', [`'{"[1,2)",empty,NULL}'`]],
  ] as const
).map(([type, values]) => ({ type, declared: 'string', values }))

/** These have no equality, or one that means something else (the area of a box). */
const WITHOUT_EQUALITY: readonly TypeCase[] = (
  [
    ['json', [`'{"b": 1,  "a": 1, "a": 2}'`, `'"\\u0000 \\ud800"'`, `'1E400'`, `' [ ] '`]],
    ['xml', [`'<a b="c">&lt;ü<!-- x --></a>'`, `''`]],
    ['pg_snapshot', [`'10:20:10,14,15'`]],
    ['jsonpath', [`'$.a[*] ? (@ > 1)'`]],
    ['point', [`'(-0,NaN)'`, `'(Infinity,5e-324)'`]],
    ['line', [`'{1,-1,0.1}'`]],
    ['lseg', [`'[(0,0),(1,1)]'`]],
    ['box', [`'(1,1),(0,0)'`]],
    ['box[]', [`'{(1,1),(0,0);(3,3),(2,2)}'`]],
    ['path', [`'[(0,0),(1,1)]'`, `'((0,0),(1,1))'`]],
    ['polygon', [`'((0,0),(1,1),(2,0))'`]],
    ['circle', [`'<(0,0),1e300>'`]],
    ['place', [`ROW('a "b", (c)', -1, '(1,2)', '{x,"y z",NULL}')`, `ROW(NULL, NULL, NULL, NULL)`]],
    ['address', [`ROW('street', NULL, NULL, NULL)`]],
    ['nested', [`ROW('', ROW('s', 1, NULL, '{}'))`]],
  ] as const
).map(([type, values]) => ({ type, declared: 'string', values, comparable: false }))

export const TYPES: readonly TypeCase[] = [...OWN_KIND, ...AS_TEXT, ...WITHOUT_EQUALITY]
