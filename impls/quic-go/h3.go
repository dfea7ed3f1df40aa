package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

type h3Client struct {
	conn *http3.ClientConn
	// early has requests sent in 0-RTT packets.
	early bool
}

func newH3Client(conn *quic.Conn, early bool) h3Client {
	// Content-Length is known only without compression.
	return h3Client{(&http3.Transport{DisableCompression: true}).NewClientConn(conn), early}
}

func (c h3Client) request(ctx context.Context, u *url.URL) (func(io.Writer) error, error) {
	method := http.MethodGet
	if c.early {
		method = http3.MethodGet0RTT
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	var response *http.Response
	done := make(chan error, 1)
	// This blocks until the response begins.
	go func() {
		var err error
		response, err = c.conn.RoundTrip(request)
		done <- err
	}()
	return func(w io.Writer) error {
		if err := <-done; err != nil {
			return err
		}
		defer response.Body.Close()
		return receiveH3(response, w)
	}, nil
}

func receiveH3(response *http.Response, w io.Writer) error {
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the response is %s", response.Status)
	}
	n, err := io.Copy(w, response.Body)
	if err == nil && response.ContentLength >= 0 && n != response.ContentLength {
		return fmt.Errorf("%d of %d bytes came", n, response.ContentLength)
	}
	return err
}

func (c h3Client) close() {
	c.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}
