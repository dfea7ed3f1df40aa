package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/url"
	"strings"

	"github.com/quic-go/quic-go"
)

// HTTP/0.9 over QUIC: one bidirectional stream per file, on it a line "GET /name" from the client, then the file's
// content from the server. The ends of both are the ends of the stream.

const (
	// A path in the longest requests has some 250 letters.
	hqMaxRequest = 4 << 10
	// Given to the peer for a stream that will not carry a file.
	hqNoFile quic.StreamErrorCode = 1
)

type hqClient struct {
	conn *quic.Conn
}

func (c hqClient) request(ctx context.Context, u *url.URL) (func(io.Writer) error, error) {
	stream, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := stream.Write([]byte("GET " + u.Path + "\r\n")); err != nil {
		return nil, err
	}
	return func(w io.Writer) error {
		_, err := io.Copy(w, stream)
		return err
	}, stream.Close()
}

func (c hqClient) close() {
	c.conn.CloseWithError(0, "")
}

// serveHQ answers requests for files until the connection ends, and returns why it did.
func serveHQ(conn *quic.Conn, files fs.FS) error {
	for {
		stream, err := conn.AcceptStream(context.Background())
		if err != nil {
			return err
		}
		go func() {
			if err := answerHQ(stream, files); err != nil {
				log.Printf("%s, stream %d: %v", conn.RemoteAddr(), stream.StreamID(), err)
				stream.CancelRead(hqNoFile)
				stream.CancelWrite(hqNoFile)
			}
		}()
	}
}

func answerHQ(stream *quic.Stream, files fs.FS) error {
	request, err := io.ReadAll(io.LimitReader(stream, hqMaxRequest))
	if err != nil {
		return err
	}
	name, err := parseHQ(string(request))
	if err != nil {
		return err
	}
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(stream, file); err != nil {
		return err
	}
	return stream.Close()
}

// parseHQ returns the name of the file that is asked for, relative to the root.
func parseHQ(request string) (string, error) {
	path, ok := strings.CutPrefix(strings.TrimRight(request, "\r\n"), "GET /")
	if !ok || !fs.ValidPath(path) {
		return "", fmt.Errorf("%q is not a request for a file", request)
	}
	return path, nil
}
