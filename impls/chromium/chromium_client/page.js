// The page's half: one WebTransport session, files asked for in it and files given.
// What arrives is told to the other half with deliver(JSON), where content is base64.
'use strict'

// Milliseconds between two datagrams that ask for a file: the queues on the way hold few packets, and an answer is
// as long as a packet can be.
const DATAGRAM_PACE = 5
// Milliseconds without an answer after which what is missing is asked for again, since datagrams get lost.
const DATAGRAM_QUIET = 1000

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

let transport
let datagrams
let files = new Map()
const missing = new Set()
const answers = []
const complete = Promise.withResolvers()

globalThis.interop = {
  // Files to answer with, as base64. A server may ask as soon as the session is open.
  give (contents) {
    files = new Map(Object.entries(contents).map(([name, content]) => [name, Uint8Array.fromBase64(content)]))
  },

  // Open the session; returns the application protocol that was agreed on.
  async open (url, hash, protocols) {
    transport = new WebTransport(url, {
      serverCertificateHashes: [{ algorithm: 'sha-256', value: Uint8Array.fromBase64(hash) }],
      protocols
    })
    await transport.ready
    transport.datagrams.incomingHighWaterMark = 1000
    datagrams = transport.datagrams.writable.getWriter()
    for (const [streams, handle] of [
      [transport.incomingUnidirectionalStreams, onUnidirectional],
      [transport.incomingBidirectionalStreams, onBidirectional],
      [transport.datagrams.readable, onDatagram]
    ]) {
      // They end with the session; how it ended is told by `closed`.
      each(streams, handle).catch(() => {})
    }
    return transport.protocol
  },

  // Returns when the session is over, by the server's will.
  // Chromium finds a session failed that ends with STOP_SENDING for its CONNECT stream, as some servers have it: then it
  // is in order if everything the server asked for has been sent to the end.
  async closed () {
    try {
      await transport.closed
    } catch (err) {
      const given = await Promise.allSettled(answers)
      if (given.length === 0 || given.some(({ status }) => status === 'rejected')) {
        throw err
      }
      console.error(`the session failed after ${given.length} complete answers: ${err.message}`)
    }
  },

  // Get files; returns when all have been delivered.
  async fetch (names, how) {
    names.forEach(name => missing.add(name))
    const asking = how === 'datagram' ? askByDatagram(names) : Promise.all(names.map(ask[how]))
    const closed = transport.closed.then(() => { throw new Error(`the session was closed, ${missing.size} missing`) })
    await Promise.race([Promise.all([asking, complete.promise]), complete.promise, closed])
  },

  close () {
    transport.close()
  }
}

const ask = {
  async unidirectional (name) {
    await send(await transport.createUnidirectionalStream(), encoder.encode(`GET ${name}`))
  },

  async bidirectional (name) {
    const stream = await transport.createBidirectionalStream()
    await send(stream.writable, encoder.encode(`GET ${name}`))
    keep(name, await readAll(stream.readable))
  }
}

async function askByDatagram (names) {
  while (names.length > 0) {
    for (const name of names) {
      await datagrams.write(encoder.encode(`GET ${name}`))
      await sleep(DATAGRAM_PACE)
    }
    for (let before; before !== missing.size;) {
      before = missing.size
      await sleep(DATAGRAM_QUIET)
    }
    names = names.filter(name => missing.has(name))
  }
}

async function onUnidirectional (stream) {
  const message = parse(await readAll(stream))
  if (message.verb === 'PUSH') {
    keep(message.name, message.content)
  } else {
    await send(await transport.createUnidirectionalStream(), push(message.name))
  }
}

async function onBidirectional (stream) {
  const { name } = parse(await readAll(stream.readable))
  const content = files.get(name)
  if (content === undefined) {
    await stream.writable.abort()
    throw new Error(`there is no file ${name}`)
  }
  await send(stream.writable, content)
}

async function onDatagram (data) {
  const message = parse(data)
  if (message.verb === 'PUSH') {
    keep(message.name, message.content)
    return
  }
  // `maxDatagramSize` is 1024 whatever the connection allows, and what is longer is sent as well if it fits into a packet.
  await datagrams.write(push(message.name))
}

function keep (name, content) {
  if (missing.delete(name)) {
    globalThis.deliver(JSON.stringify({ name, content: content.toBase64() }))
    if (missing.size === 0) {
      complete.resolve()
    }
  }
}

// Call a handler with everything a stream brings, without waiting for it: streams are answered side by side.
async function each (readable, handle) {
  for await (const value of readable) {
    const handled = handle(value)
    answers.push(handled)
    handled.catch(err => console.error(String(err)))
  }
}

async function send (writable, data) {
  const writer = writable.getWriter()
  await writer.write(data)
  await writer.close()
}

async function readAll (readable) {
  return new Uint8Array(await new Response(readable).arrayBuffer())
}

function push (name) {
  const content = files.get(name)
  if (content === undefined) {
    throw new Error(`there is no file ${name}`)
  }
  const head = encoder.encode(`PUSH ${name}\n`)
  const message = new Uint8Array(head.length + content.length)
  message.set(head)
  message.set(content, head.length)
  return message
}

// A complete message: `GET name`, or `PUSH name`, a newline and the content.
function parse (data) {
  const newline = data.indexOf(10)
  const line = decoder.decode(newline < 0 ? data : data.subarray(0, newline)).trimEnd()
  const [verb, name] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
  if (verb !== 'GET' && (verb !== 'PUSH' || newline < 0)) {
    throw new Error(`${line.slice(0, 40)} is neither GET nor PUSH`)
  }
  return { verb, name, content: data.subarray(newline + 1) }
}
