// Bundles the apps into target/, which then needs nothing but Node: native bindings are copied along.

import { build } from 'esbuild'
import { copyFile, cp, glob, rm } from 'node:fs/promises'

const NATIVE = ['@chainsafe/libp2p-quic-*', '@node-datachannel/*']

const shared = {
  bundle: true,
  outdir: 'target',
  minify: true,
  keepNames: true, // libp2p's errors are told apart by name
  legalComments: 'none',
  // sources are links into the folder above, their dependencies are in this one
  preserveSymlinks: true,
  logLevel: 'warning'
}

await rm('target', { recursive: true, force: true })

await build({
  ...shared,
  entryPoints: ['src/main.js', 'src/chromium.js'],
  platform: 'node',
  target: 'node22',
  format: 'esm',
  splitting: true,
  external: [...NATIVE, '*.node', '@ipshipyard/node-datachannel'],
  // what is bundled from CommonJS still asks for require()
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' }
})

await build({
  ...shared,
  entryPoints: ['src/page.js'],
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
  define: { global: 'globalThis' }
})

await copyFile('src/page.html', 'target/page.html')

// npm installs the bindings for glibc and for musl where it does not know which one this is
const other = process.report.getReport().header.glibcVersionRuntime == null ? '-gnu' : '-musl'

for await (const folder of glob(NATIVE.map(name => `node_modules/${name}`))) {
  if (!folder.endsWith(other)) {
    await cp(folder, `target/${folder}`, { recursive: true })
  }
}
