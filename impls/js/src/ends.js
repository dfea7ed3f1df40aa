// The two ends of a connection. Runs in Node and in the page alike.

import { multiaddr } from '@multiformats/multiaddr'
import { byteStream } from '#byte-stream'

const PING = '/ipfs/ping/1.0.0'
const PING_LENGTH = 32

// Dials, pings once and tells how long it took. The library's own ping() rounds to whole milliseconds
// and, in 2.x, counts opening the stream: too coarse for the record, hence the few lines here.
export async function dialAndPing (node, address, onConnection, signal) {
  const start = performance.now()
  const connection = await node.dial(multiaddr(address), { signal })

  onConnection(describe(connection))

  const stream = await connection.newStream(PING, { signal })
  const bytes = byteStream(stream)
  const sent = crypto.getRandomValues(new Uint8Array(PING_LENGTH))
  const pinged = performance.now()
  const [, echo] = await Promise.all([
    bytes.write(sent, { signal }),
    bytes.read({ bytes: PING_LENGTH, signal })
  ])
  const end = performance.now()

  if (sent.some((byte, i) => byte !== echo.get(i))) {
    throw new Error('the ping came back altered')
  }

  return { handshakePlusOneRTT: end - start, pingRTT: end - pinged }
}

export function onAccepted (node, onConnection) {
  node.addEventListener('connection:open', ({ detail: connection }) => {
    if (connection.direction === 'inbound') {
      onConnection(describe(connection))
    }
  })
}

function describe ({ remoteAddr, encryption, multiplexer }) {
  return { address: remoteAddr.toString(), encryption, multiplexer }
}
