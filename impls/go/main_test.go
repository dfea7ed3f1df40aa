package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/protocol"

	ma "github.com/multiformats/go-multiaddr"
)

func load(env string) (config, error) {
	vars := map[string]string{}
	for _, field := range strings.Fields(env) {
		name, value, _ := strings.Cut(field, "=")
		vars[name] = value
	}
	return loadConfig(func(name string) string { return vars[name] })
}

func TestContracts(t *testing.T) {
	const layered = "transport=tcp security=noise muxer=yamux is_dialer=true "
	for env, want := range map[string]config{
		layered: {stack: stack{"tcp", "noise", "yamux"}, dialer: true, redisAddr: "redis:6379", redisKey: "listenerAddr", timeout: 180 * time.Second},
		"transport=quic-v1 muxer= security= is_dialer=False test_timeout_seconds=7 redis_addr=h:1": {stack: stack{transport: "quic-v1"}, redisAddr: "h:1", redisKey: "listenerAddr", timeout: 7 * time.Second},
		layered + "TEST_KEY= IS_DIALER=false TEST_TIMEOUT_SECS=5":                                  {stack: stack{"tcp", "noise", "yamux"}, dialer: true, redisAddr: "redis:6379", redisKey: "listenerAddr", timeout: 5 * time.Second},
		layered + "TEST_KEY=ab IS_DIALER=false TRANSPORT=wss SECURE_CHANNEL=tls MUXER=yamux redis_addr=no DEBUG=true": {stack: stack{"wss", "tls", "yamux"}, unified: true, debug: true, redisAddr: "redis:6379",
			redisKey: "ab_listener_multiaddr", timeout: 180 * time.Second},
	} {
		got, err := load(env)
		if err != nil {
			t.Errorf("%s: %v", env, err)
			continue
		}
		if !got.listenIP.Equal(net.IPv4zero) {
			t.Errorf("%s: listens on %s", env, got.listenIP)
		}
		if got.listenIP = nil; got.stack != want.stack || got.dialer != want.dialer || got.redisAddr != want.redisAddr || got.redisKey != want.redisKey ||
			got.timeout != want.timeout || got.debug != want.debug || got.unified != want.unified {
			t.Errorf("%s:\ngot  %+v\nwant %+v", env, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for env, complaint := range map[string]string{
		"":                                  "no test case",
		"TRANSPORT=tcp IS_DIALER=true":      "no test case",
		"TEST_KEY=ab transport=tcp":         "TRANSPORT",
		"transport=quic is_dialer=true":     `transport "quic"`,
		"transport=webrtc is_dialer=true":   `transport "webrtc"`,
		"transport=tcp is_dialer=true":      `secure channel ""`,
		"transport=tcp security=plaintext":  `secure channel "plaintext"`,
		"transport=ws security=tls":         `muxer ""`,
		"transport=ws security=tls muxer=m": `muxer "m"`,
		"transport=quic-v1":                 "is_dialer",
		"transport=quic-v1 is_dialer=1":     "is_dialer",
		"transport=quic-v1 is_dialer=true test_timeout_seconds=-1":           "timeout",
		"transport=quic-v1 is_dialer=true test_timeout_seconds=0":            "timeout",
		"transport=quic-v1 is_dialer=true test_timeout_seconds=99999999999":  "timeout",
		"transport=quic-v1 is_dialer=true ip=eth0":                           "IP address",
		"TEST_KEY=ab TRANSPORT=quic-v1 IS_DIALER=true TEST_TIMEOUT_SECS=1.5": "timeout",
	} {
		if _, err := load(env); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%s: %v does not mention %s", env, err, complaint)
		}
	}
}

func TestPublishedAddr(t *testing.T) {
	for _, c := range []struct{ own, listen, redis, want string }{
		{"/ip4/127.0.0.1/tcp/1 /ip6/::1/tcp/1 /ip4/10.0.0.2/tcp/1", "0.0.0.0", "", "/ip4/10.0.0.2/tcp/1"},
		{"/ip4/10.0.0.2/tcp/1 /ip4/10.1.0.2/tcp/1", "0.0.0.0", "10.1.0.2", "/ip4/10.1.0.2/tcp/1"},
		{"/ip4/169.254.1.1/udp/1/quic-v1 /ip4/0.0.0.0/udp/1/quic-v1", "0.0.0.0", "10.1.0.2", "/ip4/10.1.0.2/udp/1/quic-v1"},
		{"/ip4/127.0.0.1/tcp/1/ws", "127.0.0.1", "127.0.0.1", "/ip4/127.0.0.1/tcp/1/ws"},
		{"/ip4/127.0.0.3/tcp/1/ws", "127.0.0.3", "", "/ip4/127.0.0.3/tcp/1/ws"},
		{"/ip4/127.0.0.1/tcp/1 /ip4/0.0.0.0/tcp/1", "0.0.0.0", "127.0.0.1", "/ip4/127.0.0.1/tcp/1"},
		{"/ip4/10.0.0.2/tcp/1 /ip6/fd00::2/tcp/1", "::", "10.0.0.2", "/ip6/fd00::2/tcp/1"},
		{"/ip4/127.0.0.1/tcp/1 /ip4/0.0.0.0/tcp/1", "0.0.0.0", "fd00::1", ""},
	} {
		var own []ma.Multiaddr
		for _, s := range strings.Fields(c.own) {
			own = append(own, ma.StringCast(s))
		}
		got, err := publishedAddr(own, net.ParseIP(c.listen), net.ParseIP(c.redis))
		if c.want == "" {
			if err == nil {
				t.Errorf("%+v: got %s", c, got)
			}
		} else if err != nil || got.String() != c.want {
			t.Errorf("%+v: got %s, %v", c, got, err)
		}
	}
}

func TestNegotiatedNames(t *testing.T) {
	for addr, want := range map[string]string{"/ip4/1.2.3.4/tcp/1/ws": "ws", "/ip4/1.2.3.4/tcp/1/wss": "wss", "/ip4/1.2.3.4/tcp/1/tls/ws": "wss"} {
		if got := transportName("websocket", ma.StringCast(addr)); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	for id, want := range map[protocol.ID]string{"/yamux/1.0.0": "yamux", "/mplex/6.7.0": "/mplex/6.7.0", "": ""} {
		if got := protocolName(id, muxers); got != want {
			t.Errorf("%s: %s", id, got)
		}
	}
}

func TestRecord(t *testing.T) {
	total, rtt := 7342*time.Microsecond, 7113*time.Microsecond
	if got, want := record(false, total, rtt), "{\"handshakePlusOneRTTMillis\": 7.342, \"pingRTTMilllis\": 7.113}\n"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := record(true, total, rtt), "latency:\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n  unit: ms\n"; got != want {
		t.Errorf("got %q", got)
	}
}
