// What a live connection says about itself, in the words of the contract.

import { multiaddr } from '@multiformats/multiaddr'
import {
  QUIC_V1,
  TCP,
  WebRTC,
  WebRTCDirect,
  WebSockets,
  WebSocketsSecure,
  WebTransport
} from '@multiformats/multiaddr-matcher'

const TRANSPORTS = {
  tcp: TCP,
  ws: WebSockets,
  wss: WebSocketsSecure,
  'quic-v1': QUIC_V1,
  webtransport: WebTransport,
  'webrtc-direct': WebRTCDirect,
  webrtc: WebRTC
}

const SECURE_CHANNELS = { '/noise': 'noise', '/tls/1.0.0': 'tls' }
const MUXERS = { '/yamux/1.0.0': 'yamux', '/mplex/6.7.0': 'mplex' }

export function transportOf (address) {
  return Object.keys(TRANSPORTS).find(name => TRANSPORTS[name].exactMatch(multiaddr(address)))
}

// `address` is the multiaddr that tells the connection's transport.
export function negotiated ({ address, encryption, multiplexer }) {
  const transport = transportOf(address) ?? address

  if (!['tcp', 'ws', 'wss'].includes(transport)) {
    return { transport }
  }

  return {
    transport,
    secureChannel: SECURE_CHANNELS[encryption] ?? encryption,
    muxer: MUXERS[multiplexer] ?? multiplexer
  }
}

export function reportNegotiated (connection, asked) {
  const actual = negotiated(connection)
  const line = Object.entries(actual).map(([name, value]) => `${name}=${value}`).join(' ')

  console.error(`negotiated: ${line}`)

  for (const [name, value] of Object.entries(actual)) {
    if (value !== asked[name]) {
      throw new Error(`asked for ${name} ${asked[name]}, negotiated ${value}`)
    }
  }
}
