package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// pair is a server that listens and a client that knows it.
type pair struct {
	client, server *endpoint
	qlogs          string
	stop           func() error
}

func newPair(t *testing.T, clientCase, serverCase string, files map[string]int) *pair {
	t.Helper()
	p := &pair{client: &endpoint{testCase: clientCase}, server: &endpoint{testCase: serverCase, addr: "127.0.0.1:0"}, qlogs: t.TempDir()}
	t.Setenv("QLOGDIR", p.qlogs)
	certs := t.TempDir()
	writeCerts(t, certs)
	p.client.certs, p.server.certs = certs, certs
	p.client.downloads, p.server.www = t.TempDir(), t.TempDir()

	listener, closeSocket, err := p.server.listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		defer closeSocket()
		ended <- p.server.accept(ctx, listener)
	}()
	p.stop = func() error {
		cancel()
		err := <-ended
		p.client.traces.flush()
		p.server.traces.flush()
		return err
	}

	address := listener.Addr()
	if clientCase == caseZeroRTT {
		// Without any delay, the handshake may have ended before the first request.
		address = relay(t, address)
	}
	_, port, _ := strings.Cut(address.String(), ":")
	for name, size := range files {
		content := make([]byte, size)
		rand.Read(content)
		if err := os.WriteFile(filepath.Join(p.server.www, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse("https://localhost:" + port + "/" + name)
		p.client.requests = append(p.client.requests, u)
	}
	return p
}

// relay stands before a server and holds back every datagram for a while.
func relay(t *testing.T, server net.Addr) net.Addr {
	t.Helper()
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Close() })
	forward := func(to net.PacketConn, addr net.Addr, content []byte) {
		time.AfterFunc(20*time.Millisecond, func() { to.WriteTo(content, addr) })
	}
	read := func(from net.PacketConn, each func(net.Addr, []byte)) {
		for buffer := make([]byte, 2048); ; {
			n, addr, err := from.ReadFrom(buffer)
			if err != nil {
				return
			}
			each(addr, bytes.Clone(buffer[:n]))
		}
	}
	// A client has one socket per connection, and so has the relay towards the server.
	backs := map[string]net.PacketConn{}
	go read(front, func(client net.Addr, content []byte) {
		back, ok := backs[client.String()]
		if !ok {
			back, _ = net.ListenPacket("udp", "127.0.0.1:0")
			t.Cleanup(func() { back.Close() })
			backs[client.String()] = back
			go read(back, func(_ net.Addr, content []byte) { forward(front, client, content) })
		}
		forward(back, server, content)
	})
	return front.LocalAddr()
}

func (p *pair) check(t *testing.T) {
	t.Helper()
	want, _ := os.ReadDir(p.server.www)
	got, _ := os.ReadDir(p.client.downloads)
	if len(want) != len(got) {
		t.Errorf("%d of %d files are there", len(got), len(want))
	}
	for _, file := range want {
		sent, _ := os.ReadFile(filepath.Join(p.server.www, file.Name()))
		received, _ := os.ReadFile(filepath.Join(p.client.downloads, file.Name()))
		if !bytes.Equal(sent, received) {
			t.Errorf("%s has other content", file.Name())
		}
	}
}

// qlog returns the qlogs of one side, in no order.
func (p *pair) qlog(t *testing.T, role string) []string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(p.qlogs, "*_"+role+".sqlog"))
	var logs []string
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, string(content))
	}
	return logs
}

func count(logs []string, pattern string) int {
	n := 0
	for _, l := range logs {
		if regexp.MustCompile(pattern).MatchString(l) {
			n++
		}
	}
	return n
}

func TestPairs(t *testing.T) {
	small := map[string]int{"a": 10 << 10, "b": 5 << 10, "c": 0}
	many := map[string]int{}
	for i := range 400 {
		many[fmt.Sprint("file", i)] = 32
	}
	defaults, noAES := defaultCipherSuitesTLS13, defaultCipherSuitesTLS13NoAES
	for _, c := range []struct {
		client, server string
		files          map[string]int
		connections    int
		// shows are patterns, and how many of the client's qlogs match them.
		shows map[string]int
	}{
		{"handshake", "handshake", map[string]int{"a": 1 << 10}, 1, map[string]int{`"packet_type":"retry"`: 0, `chosen_alpn.*hq-interop`: 1}},
		{"transfer", "transfer", map[string]int{"a": 2 << 20, "b": 3 << 20}, 1, map[string]int{`"initial_max_stream_data_bidi_local":131072`: 1}},
		{"transfer", "transfer", many, 1, map[string]int{`"initial_max_streams_bidi":100`: 1}},
		{"chacha20", "chacha20", small, 1, nil},
		{"retry", "retry", small, 1, map[string]int{`"packet_type":"retry"`: 1}},
		{"resumption", "resumption", small, 2, map[string]int{`"packet_type":"0RTT"`: 0}},
		{"zerortt", "zerortt", small, 2, map[string]int{`"packet_type":"0RTT"`: 1}},
		{"http3", "http3", small, 1, map[string]int{`chosen_alpn.*h3`: 1}},
		{"transfer", "http3", small, 1, map[string]int{`chosen_alpn.*h3`: 1}},
		{"zerortt", "http3", small, 2, map[string]int{`"packet_type":"0RTT"`: 1}},
		{"keyupdate", "transfer", map[string]int{"a": 3 << 20}, 1, map[string]int{`key_updated.*"key_phase":1`: 1}},
		{"multiconnect", "multiconnect", small, 3, nil},
	} {
		t.Run(c.client+" with "+c.server, func(t *testing.T) {
			if c.client == caseChaCha20 {
				onlyChaCha20()
			}
			p := newPair(t, c.client, c.server, c.files)
			if err := p.client.client(context.Background()); err != nil {
				t.Error(err)
			}
			if err := p.stop(); err != nil {
				t.Error(err)
			}
			p.check(t)
			for _, role := range []string{"client", "server"} {
				logs := p.qlog(t, role)
				if len(logs) != c.connections || count(logs, "connection_closed") != c.connections {
					t.Errorf("%d qlogs of the %s, %d of them complete", len(logs), role, count(logs, "connection_closed"))
				}
			}
			for what, n := range c.shows {
				if got := count(p.qlog(t, "client"), what); got != n {
					t.Errorf("%d qlogs show %s, not %d", got, what, n)
				}
			}
			defaultCipherSuitesTLS13, defaultCipherSuitesTLS13NoAES = defaults, noAES
		})
	}
}

func TestMissingFile(t *testing.T) {
	for _, server := range []string{"transfer", "http3"} {
		p := newPair(t, "transfer", server, map[string]int{"a": 10})
		gone := *p.client.requests[0]
		gone.Path = "/gone"
		p.client.requests = append(p.client.requests, &gone)
		if err := p.client.client(context.Background()); err == nil || !strings.Contains(err.Error(), "/gone") {
			t.Errorf("%s: a missing file goes by as %v", server, err)
		}
		p.stop()
		if _, err := os.Stat(filepath.Join(p.client.downloads, "a")); err != nil {
			t.Errorf("%s: the other file did not come: %v", server, err)
		}
	}
}

func TestUnknownAuthority(t *testing.T) {
	p := newPair(t, "transfer", "transfer", map[string]int{"a": 10})
	p.client.certs = t.TempDir()
	writeCerts(t, p.client.certs)
	if err := p.client.client(context.Background()); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("a server of another authority goes by as %v", err)
	}
	p.stop()
}

// The offer as it is sent: one suite, in a ClientHello that leaves room in its datagram.
func TestChaCha20Offer(t *testing.T) {
	defaults, noAES := defaultCipherSuitesTLS13, defaultCipherSuitesTLS13NoAES
	defer func() { defaultCipherSuitesTLS13, defaultCipherSuitesTLS13NoAES = defaults, noAES }()
	for name, want := range map[string][]uint16{
		"transfer":   {tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256},
		caseChaCha20: {tls.TLS_CHACHA20_POLY1305_SHA256},
	} {
		defaultCipherSuitesTLS13, defaultCipherSuitesTLS13NoAES = defaults, noAES
		if name == caseChaCha20 {
			onlyChaCha20()
		}
		conf := newTLS((&endpoint{testCase: name}).alpn(), nil)
		conf.ServerName = "server4"
		conn := tls.QUICClient(&tls.QUICConfig{TLSConfig: conf})
		conn.SetTransportParameters(nil)
		if err := conn.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		hello := conn.NextEvent()
		for hello.Kind != tls.QUICWriteData {
			hello = conn.NextEvent()
		}
		if len(hello.Data) > 1000 {
			t.Errorf("%s: the ClientHello has %d bytes", name, len(hello.Data))
		}
		// Type and length, version, random, an empty session id (RFC 8446, section 4.1.2).
		rest := hello.Data[4+2+32+1:]
		var got []uint16
		for suites := rest[2 : 2+binary.BigEndian.Uint16(rest)]; len(suites) > 0; suites = suites[2:] {
			got = append(got, binary.BigEndian.Uint16(suites))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: offers %x", name, got)
		}
		conn.Close()
	}
}

func TestALPN(t *testing.T) {
	for name, want := range map[string]string{"handshake": "hq-interop h3", "zerortt": "hq-interop h3", "http3": http3.NextProtoH3} {
		if got := strings.Join((&endpoint{testCase: name}).alpn(), " "); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestParseHQ(t *testing.T) {
	for request, want := range map[string]string{
		"GET /a-b-c\r\n": "a-b-c", "GET /a": "a", "GET /a/b\n": "a/b",
		"GET /../etc/passwd\r\n": "", "GET a\r\n": "", "POST /a\r\n": "", "": "", "GET /\r\n": "",
	} {
		got, err := parseHQ(request)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", request, got, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.log")
	vars := map[string]string{"TESTCASE": "retry", "REQUESTS": "https://server4:443/a https://server4:443/b", "SSLKEYLOGFILE": keys}
	e, err := fromEnvironment(func(name string) string { return vars[name] })
	if err != nil {
		t.Fatal(err)
	}
	if e.testCase != "retry" || len(e.requests) != 2 || e.requests[1].String() != "https://server4:443/b" {
		t.Errorf("%+v", e)
	}
	fmt.Fprint(e.keyLog, "line\n")
	if content, _ := os.ReadFile(keys); string(content) != "line\n" {
		t.Errorf("the key log holds %q", content)
	}
	if _, err := fromEnvironment(func(string) string { return "https://a b%" }); err == nil {
		t.Error("a URL that is none goes by")
	}
}
