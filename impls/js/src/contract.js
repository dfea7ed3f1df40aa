// What a run asks of this app: the environment of either contract generation, read once and checked.
// With TEST_KEY the upper-case names count, without it the lower-case ones.

import { isIP } from 'node:net'

const LAYERED = ['tcp', 'ws', 'wss']
const STANDALONE = ['quic-v1', 'webtransport', 'webrtc-direct', 'webrtc']
const SECURE_CHANNELS = ['noise', 'tls']
const MUXERS = ['yamux', 'mplex']

const DEFAULT_REDIS = 'redis:6379'
const DEFAULT_TIMEOUT_SECS = '180'

export function readContract (env) {
  const get = (...names) => names.map(name => env[name]).find(value => value != null && value !== '')
  const testKey = get('TEST_KEY')

  if (testKey != null) {
    return check({
      names: {
        transport: 'TRANSPORT',
        secureChannel: 'SECURE_CHANNEL',
        muxer: 'MUXER',
        isDialer: 'IS_DIALER',
        ip: 'LISTENER_IP'
      },
      get,
      redis: get('REDIS_ADDR'),
      timeout: get('TEST_TIMEOUT_SECS'),
      debug: get('DEBUG')?.toLowerCase() === 'true',
      key: `${testKey}_listener_multiaddr`,
      record: unifiedRecord
    })
  }

  if (get('transport') != null) {
    return check({
      names: {
        transport: 'transport',
        secureChannel: 'security',
        muxer: 'muxer',
        isDialer: 'is_dialer',
        ip: 'ip'
      },
      get,
      redis: get('redis_addr'),
      timeout: get('test_timeout_seconds', 'test_timeout_secs', 'TEST_TIMEOUT_SECS'),
      debug: false,
      key: 'listenerAddr',
      record: classicRecord
    })
  }

  throw new Error('neither TEST_KEY nor transport is set: nothing says what to run')
}

function check ({ names, get, redis = DEFAULT_REDIS, timeout = DEFAULT_TIMEOUT_SECS, debug, key, record }) {
  const oneOf = (name, allowed) => {
    const value = get(name)

    if (value == null) {
      throw new Error(`${name} is not set`)
    }

    if (!allowed.includes(value)) {
      throw new Error(`${name}=${value} is not one of ${allowed.join(', ')}`)
    }

    return value
  }

  const transport = oneOf(names.transport, [...LAYERED, ...STANDALONE])
  const layered = LAYERED.includes(transport)
  const isDialer = get(names.isDialer)?.toLowerCase()
  const ip = get(names.ip) ?? '0.0.0.0'

  if (isDialer !== 'true' && isDialer !== 'false') {
    throw new Error(`${names.isDialer}=${isDialer ?? ''} is neither true nor false`)
  }

  if (isIP(ip) === 0) {
    throw new Error(`${names.ip}=${ip} is not an IP address`)
  }

  if (!/^[1-9]\d{0,5}$/.test(timeout)) {
    throw new Error(`a timeout of ${timeout} is not a whole number of seconds`)
  }

  return {
    transport,
    // standalone transports bring their own, whatever the environment says
    secureChannel: layered ? oneOf(names.secureChannel, SECURE_CHANNELS) : undefined,
    muxer: layered ? oneOf(names.muxer, MUXERS) : undefined,
    isDialer: isDialer === 'true',
    ip,
    redis: { ...redisAddress(redis), password: get('REDIS_PASSWORD') },
    timeoutMs: Number(timeout) * 1000,
    debug,
    key,
    record
  }
}

function redisAddress (value) {
  const address = /^(?:\[(?<ip6>[^\]]+)\]|(?<name>[^:[\]]+)):(?<port>\d{1,5})$/.exec(value)?.groups

  if (address == null || Number(address.port) > 65535) {
    throw new Error(`the Redis address ${value} is not host:port`)
  }

  return { host: address.ip6 ?? address.name, port: Number(address.port) }
}

function classicRecord ({ handshakePlusOneRTT, pingRTT }) {
  // the third l is part of the contract
  return `{"handshakePlusOneRTTMillis": ${handshakePlusOneRTT.toFixed(3)}, "pingRTTMilllis": ${pingRTT.toFixed(3)}}\n`
}

function unifiedRecord ({ handshakePlusOneRTT, pingRTT }) {
  return [
    'latency:',
    `  handshake_plus_one_rtt: ${handshakePlusOneRTT.toFixed(3)}`,
    `  ping_rtt: ${pingRTT.toFixed(3)}`,
    '  unit: ms',
    ''
  ].join('\n')
}
