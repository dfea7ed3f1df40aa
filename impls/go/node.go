package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	libp2pwebrtc "github.com/libp2p/go-libp2p/p2p/transport/webrtc"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
	libp2pwebtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"

	manet "github.com/multiformats/go-multiaddr/net"
)

// newNode makes a node that offers the asked stack and nothing else. It serves identify and ping, as
// every libp2p host does. A connection that came up on any other stack calls fail.
func newNode(cfg config, fail context.CancelCauseFunc) (host.Host, error) {
	transport, err := transportOption(cfg.stack.transport)
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		transport,
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		// The test case has one deadline, the library's own (5 s in local networks) are tighter.
		libp2p.SwarmOpts(swarm.WithDialTimeout(cfg.timeout), swarm.WithDialTimeoutLocal(cfg.timeout)),
	}
	switch cfg.stack.security {
	case "noise":
		opts = append(opts, libp2p.Security(noise.ID, noise.New))
	case "tls":
		opts = append(opts, libp2p.Security(libp2ptls.ID, libp2ptls.New))
	}
	if cfg.stack.muxer == "yamux" {
		opts = append(opts, libp2p.Muxer(yamux.ID, yamux.DefaultTransport))
	}
	if cfg.dialer {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		ip, err := manet.FromIP(cfg.listenIP)
		if err != nil {
			return nil, err
		}
		opts = append(opts, libp2p.ListenAddrStrings(ip.String()+transports[cfg.stack.transport].listen))
	}

	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, err
	}
	h.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) {
		negotiated := negotiatedStack(c)
		fmt.Fprintln(os.Stderr, "negotiated:", negotiated)
		if negotiated != cfg.stack {
			fail(fmt.Errorf("asked for %s, negotiated %s", cfg.stack, negotiated))
		}
	}})
	return h, nil
}

// closeNode takes leave of the peers, but no lingering peer keeps a finished program from ending.
func closeNode(h host.Host) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		h.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

func transportOption(name string) (libp2p.Option, error) {
	switch name {
	case "tcp":
		return libp2p.Transport(tcp.NewTCPTransport), nil
	case "ws":
		return libp2p.Transport(websocket.New), nil
	case "wss":
		server, err := selfSigned()
		if err != nil {
			return nil, err
		}
		return libp2p.Transport(websocket.New,
			websocket.WithTLSConfig(server),
			// Every listener of the suite has a self-signed certificate. The peer is authenticated by
			// the secure channel inside.
			websocket.WithTLSClientConfig(&tls.Config{InsecureSkipVerify: true}),
		), nil
	case "quic-v1":
		return libp2p.Transport(libp2pquic.NewTransport), nil
	case "webtransport":
		return libp2p.Transport(libp2pwebtransport.New), nil
	case "webrtc-direct":
		return libp2p.Transport(libp2pwebrtc.New), nil
	}
	return nil, fmt.Errorf("no constructor for transport %q", name)
}

func selfSigned() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		// Hosts of one test run need not agree on the time to the second.
		NotBefore: now.Add(-time.Hour),
		NotAfter:  now.Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}, nil
}
