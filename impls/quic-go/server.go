package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func (e *endpoint) server(ctx context.Context) error {
	listener, closeSocket, err := e.listen()
	if err != nil {
		return err
	}
	defer closeSocket()
	return e.accept(ctx, listener)
}

// accept answers requests until ctx ends, then closes all connections.
func (e *endpoint) accept(ctx context.Context, listener *quic.EarlyListener) error {
	root, err := os.OpenRoot(e.www)
	if err != nil {
		return err
	}
	defer root.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()

	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		conn, err := listener.Accept(context.Background())
		if errors.Is(err, quic.ErrServerClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		connections.Go(func() { serve(ctx, conn, root.FS()) })
	}
}

// listen opens the server's socket. What it returns second closes that.
func (e *endpoint) listen() (*quic.EarlyListener, func(), error) {
	cert, err := tls.LoadX509KeyPair(e.cert("cert.pem"), e.cert("priv.key"))
	if err != nil {
		return nil, nil, err
	}
	tlsConf := e.tlsConfig()
	tlsConf.Certificates = []tls.Certificate{cert}

	addr, err := net.ResolveUDPAddr("udp", e.addr)
	if err != nil {
		return nil, nil, err
	}
	socket, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, nil, err
	}
	transport := &quic.Transport{
		Conn: socket,
		// Whether a client has to show its address by means of a Retry packet.
		VerifySourceAddress: func(net.Addr) bool { return e.testCase == caseRetry },
	}
	listener, err := transport.ListenEarly(tlsConf, e.quicConfig())
	if err != nil {
		socket.Close()
		return nil, nil, err
	}
	return listener, func() {
		transport.Close()
		socket.Close()
	}, nil
}

// serve is the life of one connection.
func serve(ctx context.Context, conn *quic.Conn, files fs.FS) {
	// This blocks until the handshake is done.
	protocol := conn.ConnectionState().TLS.NegotiatedProtocol
	code := quic.ApplicationErrorCode(0)
	if protocol == http3.NextProtoH3 {
		code = quic.ApplicationErrorCode(http3.ErrCodeNoError)
	}
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(code, "") })()

	log.Printf("%s connected, protocol %s", conn.RemoteAddr(), protocol)
	var err error
	if protocol == http3.NextProtoH3 {
		err = (&http3.Server{Handler: http.FileServerFS(files)}).ServeQUICConn(conn)
	} else {
		err = serveHQ(conn, files)
	}
	log.Printf("%s ended: %v", conn.RemoteAddr(), err)
}
