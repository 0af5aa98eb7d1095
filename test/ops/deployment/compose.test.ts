import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { DRAIN_MS_MAX } from '../../../ops/process/signals.ts'
import { findOnPath } from '../../../ops/stack/programs.ts'
import { brokerProperties } from '../../../ops/stack/servers/kafka.ts'
import { commandTree } from '../../docs/command-tree.ts'
import { ROOT } from '../../docs/pages.ts'
import { type ComposeFile, isOurs, readCompose, type Service, secretsOf, variablesOf } from './compose-file.ts'

const compose: ComposeFile = readCompose()
const services = Object.entries(compose.services)
const read = (path: string) => readFileSync(ROOT + path, 'utf8')
const declared = parse(read('tributary.yaml')) as Record<'sources' | 'subscribers', object>
const byName = (name: string): Service => compose.services[name]!
/** Every service that something is wrong with; none is what is expected. */
const wrong = (isWrong: (service: Service, name: string) => boolean) =>
  services.filter(([name, service]) => isWrong(service, name)).map(([name]) => name)
const isOnce = ({ restart }: Service) => restart === 'no'

describe('every service', () => {
  test('has an image of an exact version, from the registry that Compose takes by itself', () => {
    expect(wrong(({ image }) => !/^[a-z-]+(\/[a-z-]+)?:v?\d+\.\d+(\.\d+)?$/.test(image))).toEqual([])
  })

  test('is run by a user without rights, on a file system that it cannot change', () => {
    expect(wrong(({ user }) => /^(root|0)(:|$)/.test(user))).toEqual([])
    expect(wrong(({ read_only }) => !read_only)).toEqual([])
    expect(wrong(({ cap_drop }) => cap_drop.join() !== 'ALL')).toEqual([])
    expect(wrong(({ security_opt }) => security_opt.join() !== 'no-new-privileges:true')).toEqual([])
  })

  test('writes in memory of a limited size only, beside its volumes', () => {
    expect(wrong(({ tmpfs }) => !tmpfs.every((mount) => /:.*size=\d+m/.test(mount)))).toEqual([])
  })

  test('opens no port but to this machine', () => {
    expect(wrong(({ ports }) => !ports.every((port) => /^127\.0\.0\.1:\d+:\d+$/.test(port)))).toEqual([])
  })

  test('says whether it is healthy, unless it serves nothing', () => {
    const isDisabled = ({ healthcheck }: Service) => healthcheck !== undefined && 'disable' in healthcheck
    const serves = (service: Service, name: string) => !isOnce(service) && name !== 'demo-changes'
    expect(read('Dockerfile')).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["node", .*127\.0\.0\.1:9464\/healthz/m)
    const hasOne = (service: Service) => service.healthcheck !== undefined || service.image === byName('exporter').image
    expect(wrong((service, name) => serves(service, name) !== (hasOne(service) && !isDisabled(service)))).toEqual([])
  })

  test('mounts files that are there, and volumes and secrets that are declared', () => {
    const sources = services.flatMap(([, { volumes }]) => volumes.map((mount) => mount.split(':')[0]!))
    const isPath = (source: string) => source.startsWith('./')
    expect(sources.filter(isPath).filter((path) => !existsSync(ROOT + path))).toEqual([])
    expect([...new Set(sources.filter((source) => !isPath(source)))].sort()).toEqual(
      Object.keys(compose.volumes).sort(),
    )
    const secrets = services.flatMap(([, service]) => secretsOf(service).map(({ source }) => source))
    expect([...new Set(secrets)].sort()).toEqual(Object.keys(compose.secrets).sort())
    const networks = services.flatMap(([, service]) => service.networks)
    expect([...new Set(networks)].sort()).toEqual(Object.keys(compose.networks).sort())
  })

  test('changes no file of the repository', () => {
    expect(wrong(({ volumes }) => !volumes.every((mount) => !mount.startsWith('.') || mount.endsWith(':ro')))).toEqual(
      [],
    )
  })

  test('has its secrets in files, and none in its environment', () => {
    const isSecret = /PASSWORD|SECRET|TOKEN$|KEY$|^(ERP|WAREHOUSE)_URL$/
    const names = services.flatMap(([, { environment }]) => Object.keys(environment))
    expect(names.filter((name) => isSecret.test(name) && !name.endsWith('_FILE'))).toEqual([])
    const unknown = services.flatMap(([name, service]) => {
      const files = secretsOf(service).map(({ path }) => path)
      const named = Object.values(service.environment).filter((value) => String(value).startsWith('/run/secrets/'))
      return named.filter((path) => !files.includes(String(path))).map((path) => `${name}: ${path}`)
    })
    expect(unknown).toEqual([])
  })

  test('waits for services that exist, for those of other profiles only where they are there', () => {
    const broken = services.flatMap(([name, service]) =>
      Object.entries(service.depends_on).flatMap(([other, { condition, required }]) => {
        const target = compose.services[other]
        if (target === undefined) return [`${name} → ${other}: there is none`]
        if (required && target.profiles[0] !== service.profiles[0]) return [`${name} → ${other}: another profile`]
        const fits = (condition === 'service_completed_successfully') === isOnce(target)
        return fits ? [] : [`${name} → ${other}: ${condition}`]
      }),
    )
    expect(broken).toEqual([])
  })
})

describe('our services', () => {
  const ours = services.filter(([, service]) => isOurs(service))
  const apps = ours.filter(([, { profiles }]) => profiles[0] === 'apps')
  const serving = apps.filter(([, service]) => !isOnce(service))
  const program = commandTree()

  test('are one for each source and each subscriber, the exporter, and provision before them all', () => {
    const wanted = [
      'provision',
      ...Object.keys(declared.sources).map((name) => `capture ${name}`),
      ...Object.keys(declared.subscribers).map((name) => `deliver ${name}`),
      'exporter',
    ]
    expect(apps.map(([, { command = [] }]) => command.join(' ').replace(/ --.*/, '')).sort()).toEqual(wanted.sort())
    const hasten = serving.filter(([, service]) => service.depends_on.provision === undefined).map(([name]) => name)
    expect(hasten).toEqual([])
  })

  test.each(apps)('%s is a command that the command line takes', (_name, { entrypoint, command = [] }) => {
    expect(entrypoint).toBeUndefined()
    const { flags } = program.commands.find(({ name }) => name === command[0])!
    expect(command.filter((word) => word.startsWith('--') && !flags.includes(word))).toEqual([])
  })

  test('may be as many as are wanted', () => {
    expect(serving.filter(([, { ports }]) => ports.length > 0)).toEqual([])
    expect(serving.filter(([, { command = [] }]) => !command.join(' ').endsWith('--host 0.0.0.0'))).toEqual([])
  })

  test('are given longer to end than they take', () => {
    const graceMs = (service: Service) => Number(/^(\d+)s$/.exec(service.stop_grace_period ?? '')?.[1] ?? 0) * 1000
    expect(
      ours.filter(([, service]) => graceMs(service) <= DRAIN_MS_MAX || !service.init).map(([name]) => name),
    ).toEqual([])
  })

  test('start files that the image has', () => {
    const files = ours.flatMap(([, { entrypoint = [] }]) => entrypoint.slice(1))
    expect(files.length).toBeGreaterThan(0)
    expect(files.filter((file) => !existsSync(ROOT + file))).toEqual([])
  })
})

describe('the broker', () => {
  test('has the settings of the local stack, but for where it listens', () => {
    const inContainer = Object.fromEntries(
      Object.entries(byName('kafka').environment)
        .filter(([name]) => name.startsWith('KAFKA_'))
        .map(([name, value]) => [name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.'), String(value)]),
    )
    const own = /listener|voters|log\.dirs/
    const local = Object.entries(brokerProperties({ logDir: '', nodeId: 1, port: 1, controllerPorts: [2] })).filter(
      ([name]) => !own.test(name),
    )
    expect(local.length).toBeGreaterThan(10)
    expect(inContainer).toMatchObject(Object.fromEntries(local.map(([name, value]) => [name, String(value)])))
  })
})

describe('Prometheus and Alertmanager', () => {
  interface Scrape {
    readonly dns_sd_configs?: readonly { readonly names: readonly string[]; readonly type: string }[]
    readonly static_configs?: readonly { readonly targets: readonly string[] }[]
  }
  const config = parse(read('ops/prometheus/prometheus.compose.yml')) as { scrape_configs: Scrape[] }
  const serving = services
    .filter(([, service]) => service.profiles[0] === 'apps' && !isOnce(service))
    .map(([name]) => name)

  test('every service of the pipeline is asked, each of its containers and as a whole', () => {
    const names = config.scrape_configs.flatMap((one) => one.dns_sd_configs ?? []).flatMap((one) => one.names)
    const targets = config.scrape_configs.flatMap((one) => one.static_configs ?? []).flatMap((one) => one.targets)
    expect(names.toSorted()).toEqual(serving.toSorted())
    expect(targets.toSorted()).toEqual(serving.map((name) => `${name}:9464`).toSorted())
  })

  test('every alert that silences or is silenced exists', () => {
    const alerts = [...read('ops/prometheus/rules.yml').matchAll(/- alert: (\w+)/g)].map(([, name]) => name!)
    const named = read('ops/prometheus/alertmanager.yml')
      .split('inhibit_rules:')[1]!
      .match(/Tributary\w+/g)!
    expect(named.filter((name) => !alerts.includes(name))).toEqual([])
  })

  const promtool = findOnPath('promtool', process.env)
  test.skipIf(promtool === undefined)('promtool finds the configuration right (needs promtool on the PATH)', () => {
    const args = ['check', 'config', 'ops/prometheus/prometheus.compose.yml']
    expect(execFileSync(promtool!, args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })).toContain('SUCCESS')
  })
  const amtool = findOnPath('amtool', process.env)
  test.skipIf(amtool === undefined)('amtool finds the routes right (needs amtool on the PATH)', () => {
    const args = ['check-config', 'ops/prometheus/alertmanager.yml']
    expect(execFileSync(amtool!, args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })).toContain('SUCCESS')
  })
})

test('Grafana finds the dashboards and Prometheus where its provisioning looks for them', () => {
  const { volumes, environment } = byName('grafana')
  const [, path] = /path: (\S+)/.exec(read('ops/grafana/provisioning/dashboards/tributary.yml'))!
  expect(volumes).toContain(`./ops/grafana/dashboards:${path}:ro`)
  const [, variable] = /url: \$\{(\w+)\}/.exec(read('ops/grafana/provisioning/datasources/tributary.yml'))!
  expect(environment[variable!]).toBe('http://prometheus:9090')
})

test('the example of an environment file has what the file takes, with its defaults', () => {
  const lines = read('ops/compose/example.env')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
  expect(Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2) as [string, string]))).toEqual(variablesOf())
})
