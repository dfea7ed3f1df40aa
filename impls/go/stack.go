package main

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"

	ma "github.com/multiformats/go-multiaddr"
)

// stack is a combination of protocols, either the one asked for or the one a connection runs on.
// Standalone transports have neither security nor muxer.
type stack struct {
	transport, security, muxer string
}

func (s stack) String() string {
	if s.security == "" && s.muxer == "" {
		return "transport=" + s.transport
	}
	return fmt.Sprintf("transport=%s secureChannel=%s muxer=%s", s.transport, s.security, s.muxer)
}

// negotiatedStack is what a live connection says about itself.
func negotiatedStack(c network.Conn) stack {
	state := c.ConnState()
	return stack{
		transport: transportName(state.Transport, c.RemoteMultiaddr()),
		security:  protocolName(state.Security, securities),
		muxer:     protocolName(state.StreamMultiplexer, muxers),
	}
}

// transportName turns the library's name of a transport into the one used by test cases. The library
// has one websocket transport; the connection's address tells whether it runs over TLS.
func transportName(name string, remote ma.Multiaddr) string {
	if name != "websocket" {
		return name
	}
	for _, c := range remote {
		if code := c.Protocol().Code; code == ma.P_WSS || code == ma.P_TLS {
			return "wss"
		}
	}
	return "ws"
}

// protocolName is the short name of id, or id itself where test cases have no name for it.
func protocolName(id protocol.ID, names map[string]protocol.ID) string {
	for name, known := range names {
		if known == id {
			return name
		}
	}
	return string(id)
}
