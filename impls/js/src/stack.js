// One libp2p node with exactly one way to connect: the transport, secure channel and muxer asked for.

import { createLibp2p } from 'libp2p'
import { settings } from './settings.js'

// The library asks public STUN servers by default: without internet that only costs time.
const NO_STUN = { rtcConfiguration: { iceServers: [] } }

// Loaded on demand: a native binding this version lacks then only hurts those who ask for it.
const TRANSPORTS = {
  tcp: async () => (await import('@libp2p/tcp')).tcp(),
  ws: async () => (await import('@libp2p/websockets')).webSockets(),
  wss: async () => {
    const { selfSigned } = await import('./certificate.js')
    const { webSockets } = await import('@libp2p/websockets')

    // peers of a run sign their own certificates
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    return webSockets({ https: await selfSigned() })
  },
  'quic-v1': async () => (await import('@chainsafe/libp2p-quic')).quic(),
  'webrtc-direct': async () => (await import('@libp2p/webrtc')).webRTCDirect(NO_STUN)
}

const SECURE_CHANNELS = {
  noise: async () => (await import('@libp2p/noise')).noise(),
  tls: async () => (await import('@libp2p/tls')).tls()
}

const MUXERS = {
  yamux: async () => (await import('@libp2p/yamux')).yamux(),
  mplex: async () => (await import('@libp2p/mplex')).mplex()
}

const LISTEN = {
  tcp: 'tcp/0',
  ws: 'tcp/0/ws',
  wss: 'tcp/0/tls/ws',
  'quic-v1': 'udp/0/quic-v1',
  'webrtc-direct': 'udp/0/webrtc-direct'
}

// Everything the node is made of. Rejects where this version cannot do what is asked.
export async function loadStack ({ transport, secureChannel, muxer }) {
  return {
    transports: [await load(TRANSPORTS, transport)],
    connectionEncrypters: secureChannel == null ? [] : [await load(SECURE_CHANNELS, secureChannel)],
    streamMuxers: muxer == null ? [] : [await load(MUXERS, muxer)]
  }
}

async function load (loaders, name) {
  if (loaders[name] == null) {
    throw new Error(`${name} is not available in Node`)
  }

  try {
    return await loaders[name]()
  } catch (err) {
    throw new Error(`${name} is not available here: ${err.message.split('\n')[0]}`, { cause: err })
  }
}

export async function createNode (stack, { transport, isDialer, ip, timeoutMs }) {
  const family = ip.includes(':') ? 'ip6' : 'ip4'

  return createLibp2p({
    ...stack,
    ...settings(timeoutMs),
    addresses: { listen: isDialer ? [] : [`/${family}/${ip}/${LISTEN[transport]}`] }
  })
}
