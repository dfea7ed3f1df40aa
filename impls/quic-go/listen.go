package main

import (
	"crypto/tls"
	"net"

	"github.com/quic-go/quic-go"
)

// listen opens a server's socket. What it returns second closes that. With retry, every client has to show that it
// receives at its address, by means of a Retry packet.
func listen(address string, tlsConf *tls.Config, quicConf *quic.Config, retry bool) (*quic.EarlyListener, func(), error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, nil, err
	}
	socket, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, nil, err
	}
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return retry }}
	listener, err := transport.ListenEarly(tlsConf, quicConf)
	if err != nil {
		socket.Close()
		return nil, nil, err
	}
	return listener, func() {
		transport.Close()
		socket.Close()
	}, nil
}
