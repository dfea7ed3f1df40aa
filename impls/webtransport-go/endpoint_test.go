package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pair is a server that listens and a client that knows it, both with a folder "endpoint" in their www.
type pair struct {
	client, server *endpoint
	origin         string
	accept         func()
	// wait ends the server if it does not end by itself.
	wait func(stop bool) error
}

func newPair(t *testing.T, clientCase, serverCase string) *pair {
	t.Helper()
	p := &pair{client: &endpoint{testCase: clientCase}, server: &endpoint{testCase: serverCase, addr: "127.0.0.1:0"}}
	certs := t.TempDir()
	writeCerts(t, certs)
	for _, e := range []*endpoint{p.client, p.server} {
		e.certs, e.downloads, e.www = certs, t.TempDir(), t.TempDir()
		e.protocols = []string{"one-slug"}
		if err := os.Mkdir(filepath.Join(e.www, "endpoint"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	listener, closeSocket, err := p.server.listen()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	p.origin = "https://localhost:" + port + "/"
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	p.accept = func() {
		defer closeSocket()
		ended <- p.server.accept(ctx, listener)
	}
	p.wait = func(stop bool) error {
		if stop {
			cancel()
		}
		defer cancel()
		return <-ended
	}
	return p
}

// run starts the server, and returns what becomes of the client.
func (p *pair) run() error {
	go p.accept()
	return p.client.client(context.Background())
}

func TestTransfers(t *testing.T) {
	for _, method := range []string{"unidirectional", "bidirectional", "datagram"} {
		for _, direction := range []string{"receive", "send"} {
			t.Run(method+"-"+direction, func(t *testing.T) {
				name := "transfer-" + method + "-" + direction
				p := newPair(t, name, caseTransfer)
				sender, receiver := p.server, p.client
				prefix, plain := p.origin, &p.server.requests
				if direction == "send" {
					p.client.testCase, p.server.testCase = caseTransfer, name
					sender, receiver = p.client, p.server
					prefix, plain = "", &p.client.requests
				}
				*plain, _ = parseRequests(p.origin + "endpoint")

				sizes := []int{100 << 10, 500 << 10, 0}
				if method == "datagram" {
					sizes = nil
					for size := 600; size < 1000; size += 2 {
						sizes = append(sizes, size)
					}
				}
				var list []string
				for i, size := range sizes {
					content := make([]byte, size)
					rand.Read(content)
					file := fmt.Sprint("endpoint/some-random-slug-", i)
					if err := os.WriteFile(filepath.Join(sender.www, file), content, 0o644); err != nil {
						t.Fatal(err)
					}
					list = append(list, prefix+file)
				}
				var err error
				if receiver.requests, err = parseRequests(strings.Join(list, " ")); err != nil {
					t.Fatal(err)
				}

				if err := p.run(); err != nil {
					t.Error(err)
				}
				if err := p.wait(direction == "receive"); err != nil {
					t.Error(err)
				}
				compare(t, filepath.Join(sender.www, "endpoint"), filepath.Join(receiver.downloads, "endpoint"))
			})
		}
	}
}

func compare(t *testing.T, sent, received string) {
	t.Helper()
	files, _ := os.ReadDir(sent)
	got, _ := os.ReadDir(received)
	if len(files) != len(got) {
		t.Errorf("%d of %d files are there", len(got), len(files))
	}
	for _, file := range files {
		want, _ := os.ReadFile(filepath.Join(sent, file.Name()))
		got, _ := os.ReadFile(filepath.Join(received, file.Name()))
		if !bytes.Equal(want, got) {
			t.Errorf("%s has other content", file.Name())
		}
	}
}

func TestNegotiation(t *testing.T) {
	p := newPair(t, caseHandshake, caseHandshake)
	p.client.requests, _ = parseRequests(p.origin + "endpoint")
	p.client.protocols = strings.Fields("a first b second c")
	p.server.protocols = strings.Fields("x second y first z")
	if err := p.run(); err != nil {
		t.Error(err)
	}
	if err := p.wait(true); err != nil {
		t.Error(err)
	}
	for _, e := range []*endpoint{p.client, p.server} {
		if got, err := os.ReadFile(filepath.Join(e.downloads, "negotiated_protocol.txt")); string(got) != "first" {
			t.Errorf("negotiated %q, %v", got, err)
		}
	}
}

func TestNoCommonProtocol(t *testing.T) {
	p := newPair(t, caseHandshake, caseHandshake)
	p.client.requests, _ = parseRequests(p.origin + "endpoint")
	p.client.protocols = []string{"other"}
	// Whichever side notices first tells the other by closing.
	clientErr, serverErr := p.run(), p.wait(true)
	if clientErr == nil || !strings.Contains(fmt.Sprint(clientErr, serverErr), "no application protocol") {
		t.Errorf("nothing in common goes by as %v at the client and %v at the server", clientErr, serverErr)
	}
}

func TestUnknownEndpoint(t *testing.T) {
	p := newPair(t, caseHandshake, caseHandshake)
	p.client.requests, _ = parseRequests(p.origin + "elsewhere")
	if err := p.run(); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an endpoint that is none goes by as %v", err)
	}
	p.wait(true)
}

func TestMissingFile(t *testing.T) {
	p := newPair(t, "transfer-bidirectional-receive", caseTransfer)
	p.client.requests, _ = parseRequests(p.origin + "endpoint/gone")
	if err := p.run(); err == nil {
		t.Error("a file that is not there goes by")
	}
	p.wait(true)
}

func TestParseRequests(t *testing.T) {
	for list, want := range map[string]string{
		"":                       "{  []}",
		"https://server4:443/e1": "{server4:443 e1 []}",
		"https://server4:443/e1/a https://server4:443/e1/b": "{server4:443 e1 [a b]}",
		"e1/a e1/b":    "{ e1 [a b]}",
		"/e1/a":        "{ e1 [a]}",
		"e1/a e2/b":    "",
		"https://h/":   "",
		"https://h% /": "",
	} {
		got, err := parseRequests(list)
		if want == "" {
			if err == nil {
				t.Errorf("%q: %v", list, got)
			}
		} else if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

func TestMessages(t *testing.T) {
	for head, want := range map[string]string{
		"GET a-b": "a-b", "GET a-b\r\n": "a-b", "GET /a": "a", "GET sub/a": "sub/a",
		"GET ../a": "", "GET ": "", "PUSH a": "", "": "", "GET .": "",
	} {
		if got, err := parseHead(get, []byte(head)); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", head, got, err)
		}
	}
	name, content, err := parsePush([]byte("PUSH endpoint/a\nb\nc"))
	if name != "a" || string(content) != "b\nc" || err != nil {
		t.Errorf("%q, %q, %v", name, content, err)
	}
	if _, _, err := parsePush([]byte("PUSH a")); err == nil {
		t.Error("a datagram without an end of its head goes by")
	}
	stream := bufio.NewReader(strings.NewReader("PUSH a\nb"))
	name, err = readPush(stream)
	rest, _ := stream.ReadString(0)
	if name != "a" || rest != "b" || err != nil {
		t.Errorf("%q, %q, %v", name, rest, err)
	}
	if _, err := readPush(bufio.NewReader(strings.NewReader("PUSH a"))); err == nil {
		t.Error("a stream without an end of its head goes by")
	}
}
