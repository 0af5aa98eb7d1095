// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { describe, expect, it } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatFindings } from '../../../ops/declaration/report/findings.ts'
import { maskSecrets } from '../../../ops/declaration/report/mask-secrets.ts'
import { changed, ENVIRONMENT, findings } from './pipelines.ts'

const withBlobs = (text: string) => changed(['sources:\n', `${text}\nsources:\n`])
const resolved = (text: string, env = ENVIRONMENT) =>
  checkDeclaration(text, '/etc/tributary/p.yaml', env, () => 'from a file\n').declaration

const S3 =
  'blobs: { type: s3, endpoint: https://s3.example/, bucket: large-values, accessKeyId: AK, secretAccessKey: ${SECRET} }'

describe('a blob store', () => {
  it('need not be declared; then values travel in their records', () => {
    expect(resolved(changed())).toMatchObject({
      blobs: null,
      claims: { aboveBytes: 256 * 1024, recordBytesMax: 8 * 1024 * 1024 },
    })
  })

  it('is a folder, named from where the file is', () => {
    const day = 86_400_000
    expect(resolved(withBlobs('blobs: { type: folder, path: blobs }'))?.blobs).toEqual({
      type: 'folder',
      path: '/etc/tributary/blobs',
      keepMs: 7 * day,
    })
    expect(resolved(withBlobs('blobs: { type: folder, path: /mnt/blobs, keep: 30d }'))?.blobs).toMatchObject({
      path: '/mnt/blobs',
      keepMs: 30 * day,
    })
  })

  it('is a bucket, whose secret may come from a file', () => {
    const found = resolved(withBlobs(S3), { ...ENVIRONMENT, SECRET_FILE: '/run/secrets/blobs' } as never)
    expect(found?.blobs).toMatchObject({
      endpoint: 'https://s3.example',
      region: 'us-east-1',
      prefix: '',
      secretAccessKey: 'from a file',
    })
  })

  it.each([
    ['blobs: { type: folder }', ['7:1: blobs: `path` is missing; a store of type folder needs it']],
    [
      'blobs: { type: folder, path: b, bucket: large-values }',
      ['7:33: blobs.bucket: a store of type folder has no `bucket`; remove it'],
    ],
    [
      'blobs: { type: s3, endpoint: https://s3.example, bucket: large-values }',
      [
        '7:1: blobs: `accessKeyId` is missing; a store of type s3 needs it',
        '7:1: blobs: `secretAccessKey` is missing; a store of type s3 needs it',
      ],
    ],
    ['blobs: { type: folder, path: b, keep: 2h }', ['7:39: blobs.keep: must be at least `1d`']],
    ['claims: { above: 256 }', ['7:18: claims.above: must be a size such as `256KB` or `8MB`, not a number']],
    [
      'claims: { recordMax: 12MB }',
      ['7:22: claims.recordMax: must be from 64KB to 11MB: topics take 12MB with the key and headers'],
    ],
    [
      'claims: { above: 9MB }',
      [
        '7:18: claims.above: `above` is more than `recordMax`, so that values between them could neither travel nor be stored; lower `above`',
      ],
    ],
  ])('is refused: %s', (text, expected) => {
    expect(findings(withBlobs(text)).map((line) => line.replace(/^p\.yaml:/, ''))).toEqual(expected)
  })

  it('keeps its keys to itself, wherever they stand', () => {
    const text = withBlobs(S3.replace('${SECRET}', 'Hunter2Hunter2').replace('AK', 'Hunter2Hunter2')).replace(
      'large-values',
      'No',
    )
    const { problems } = checkDeclaration(text, 'p.yaml', ENVIRONMENT)
    expect(problems).not.toEqual([])
    expect(formatFindings(problems, text, { colour: false })).not.toContain('Hunter2')
    expect(maskSecrets('  accessKeyId: AKIA\n  secretAccessKey: s3\n')).not.toMatch(/AKIA|s3/)
  })
})
