package main

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// server listens, and answers requests until ctx ends.
func (e *endpoint) server(ctx context.Context) error {
	listener, closeSocket, err := e.listen()
	if err != nil {
		return err
	}
	defer closeSocket()
	return e.accept(ctx, listener)
}

// accept serves connections until ctx ends, then closes them all.
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

func (e *endpoint) listen() (*quic.EarlyListener, func(), error) {
	tlsConf := newTLS(e.alpn(), e.keyLog)
	if err := identify(tlsConf, e.certs); err != nil {
		return nil, nil, err
	}
	return listen(e.addr, tlsConf, e.quicConfig(), e.testCase == caseRetry)
}

// serve is the life of one connection.
func serve(ctx context.Context, conn *quic.Conn, files fs.FS) {
	// HTTP/0.9 has no error codes of its own.
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })()

	// This blocks until the handshake has ended.
	protocol := conn.ConnectionState().TLS.NegotiatedProtocol
	log.Printf("%s connected, protocol %s", conn.RemoteAddr(), protocol)
	var err error
	if protocol == http3.NextProtoH3 {
		err = (&http3.Server{Handler: http.FileServerFS(files)}).ServeQUICConn(conn)
	} else {
		err = serveHQ(conn, files)
	}
	log.Printf("%s ended: %v", conn.RemoteAddr(), err)
}
