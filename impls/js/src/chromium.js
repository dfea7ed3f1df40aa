// The ping app in Chromium: the node runs in a page (page.js), Redis, stdout and the verdict stay here.

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import puppeteer from 'puppeteer-core'
import { reportNegotiated } from './negotiated.js'
import { startRelay } from './relay.js'
import { connect, publish, take } from './rendezvous.js'
import { fail, run } from './run.js'

const DIALS = ['ws', 'wss', 'webtransport', 'webrtc-direct', 'webrtc']

const ARGUMENTS = [
  // its sandbox needs privileges that a container without capabilities does not have
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  // peers of a run sign their own certificates
  '--ignore-certificate-errors',
  // names like <uuid>.local, which hide addresses, do not resolve on a container's network
  '--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints,Translate',
  // there is no internet to talk to
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-sync',
  '--metrics-recording-only',
  '--no-first-run',
  '--no-pings'
]

await run(async contract => {
  checkAbilities(contract)

  const redis = await connect(contract.redis)
  const relay = contract.transport === 'webrtc' && !contract.isDialer ? await startRelay(contract) : undefined
  const page = await openPage(contract)

  await page.evaluate(options => globalThis.interop.start(options), { ...pick(contract), relay })
  return contract.isDialer ? dial(page, redis, contract) : listen(page, redis, contract)
})

function checkAbilities ({ transport, secureChannel = 'noise', isDialer }) {
  if (!DIALS.includes(transport)) {
    throw new Error(`${transport} is not available in a browser`)
  }

  if (secureChannel !== 'noise') {
    throw new Error(`${secureChannel} is not available in a browser`)
  }

  if (!isDialer && transport !== 'webrtc') {
    throw new Error(`a browser cannot listen on ${transport}, only dial`)
  }
}

function pick ({ transport, muxer, timeoutMs, debug }) {
  return { transport, muxer, timeoutMs, debug }
}

async function openPage (contract) {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    headless: 'shell',
    args: ARGUMENTS,
    acceptInsecureCerts: true,
    protocolTimeout: contract.timeoutMs,
    // any user may run this, also one without a home
    env: { ...process.env, HOME: '/tmp' },
    // signals are dealt with in run.js
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false
  })
  const page = await browser.newPage()

  page.on('console', message => console.error(`page: ${message.text()}`))
  page.on('pageerror', err => console.error(`page: ${err.message}`))
  browser.on('disconnected', () => fail(new Error('the browser is gone')))

  await page.exposeFunction('onConnection', connection => {
    try {
      reportNegotiated(connection, contract)
    } catch (err) {
      fail(err)
    }
  })
  await page.goto(`http://127.0.0.1:${await servePage()}/`)
  return page
}

// From loopback, since only a secure context has WebTransport and the like.
async function servePage () {
  const files = {
    '/': { type: 'text/html', body: await readFile(new URL('page.html', import.meta.url)) },
    '/page.js': { type: 'text/javascript', body: await readFile(new URL('page.js', import.meta.url)) }
  }
  const server = createServer(({ url }, response) => {
    const file = files[url]

    response.writeHead(file == null ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' }).end(file?.body)
  })

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

async function dial (page, redis, contract) {
  const address = await take(redis, contract.key)

  console.error(`dialing ${address}`)
  return page.evaluate((...args) => globalThis.interop.dial(...args), address, contract.timeoutMs)
}

async function listen (page, redis, contract) {
  const address = await page.evaluate(() => globalThis.interop.listen())

  await publish(redis, contract.key, address)
  console.error(`listening on ${address}`)
  return new Promise(() => {})
}
