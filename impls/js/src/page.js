// The half of the browser's ping app that runs in the page. chromium.js calls what is exposed here.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { enable } from '@libp2p/logger'
import { mplex } from '@libp2p/mplex'
import { noise } from '@libp2p/noise'
import { webRTC, webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { webTransport } from '@libp2p/webtransport'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { dialAndPing, onAccepted } from './ends.js'
import { transportOf } from './negotiated.js'
import { settings } from './settings.js'

// there is no internet, hence no STUN server to ask
const RTC = { rtcConfiguration: { iceServers: [] } }
// a browser is told to prefer secure WebSockets in 2.x; 3.x has no such filter and ignores the option
const WS = { filter: addresses => addresses.filter(address => ['ws', 'wss'].includes(transportOf(address))) }

const TRANSPORTS = {
  ws: () => [webSockets(WS)],
  wss: () => [webSockets(WS)],
  webtransport: () => [webTransport()],
  'webrtc-direct': () => [webRTCDirect(RTC)],
  // browsers exchange their descriptions over a relay, and reach that over ws
  webrtc: () => [webRTC(RTC), webSockets({}), circuitRelayTransport()]
}

const MUXERS = { yamux, mplex }

let node

globalThis.interop = { start, listen, dial }

async function start ({ transport, muxer = 'yamux', timeoutMs, debug, relay }) {
  if (debug) {
    enable('libp2p:*')
  }

  node = await createLibp2p({
    ...settings(timeoutMs),
    addresses: { listen: relay == null ? [] : [`${relay}/p2p-circuit`, '/webrtc'] },
    transports: TRANSPORTS[transport](),
    connectionEncrypters: [noise()],
    streamMuxers: [MUXERS[muxer]()]
  })
}

// Resolves to the address others reach this page at, once the relay has made a reservation for it.
async function listen () {
  onAccepted(node, connection => {
    // connections over the relay only carry the signalling
    if (transportOf(connection.address) === 'webrtc') {
      globalThis.onConnection(connection)
    }
  })

  return new Promise(resolve => {
    const look = () => {
      const address = node.getMultiaddrs().map(String).find(each => transportOf(each) === 'webrtc')

      if (address != null) {
        resolve(address)
      }
    }

    node.addEventListener('self:peer:update', look)
    look()
  })
}

async function dial (address, timeoutMs) {
  return dialAndPing(node, address, globalThis.onConnection, AbortSignal.timeout(timeoutMs))
}
